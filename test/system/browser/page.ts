/** The page of the test: offers `trial()` to who drives the browser. */
import { createRemote, proxy } from "castaway/remote";
import { boot, MORE, type Outcome, outcome } from "./trial.ts";

declare const Worker: new (url: string, options: { type: "module" }) => any;
declare const FileReader: new () => { result: string; onload: () => void; readAsDataURL(blob: Blob): void };

function dataUrl(bytes: Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.readAsDataURL(new Blob([bytes]));
  });
}

/** @returns the outcome at the end, a snapshot of then, and the outcome some time later */
async function trial(): Promise<{ end: Outcome; snapshot: string; later: Outcome }> {
  const pc = await createRemote(new Worker("worker.js", { type: "module" }), {
    firmware: { bios: "blobs/seabios/bios.bin", videoBios: "blobs/seabios/vgabios-stdvga.bin" },
    disks: ["blobs/demo/demo.img.gz"],
  });
  let printed = 0;
  await pc.onSerial(
    proxy((bytes: Uint8Array) => {
      printed += bytes.length;
    }),
  );
  await boot(pc);
  const end = await outcome(pc, () => printed);
  const snapshot = await dataUrl(await pc.save());
  await pc.run({ atMost: MORE });
  return { end, snapshot, later: await outcome(pc, () => printed) };
}

Object.assign(globalThis, { trial });
