/**
 * `npm run system -- browser`: the same machine in Node, in Node's worker_threads and in a Web Worker of Chromium ends in
 * the same digest; a snapshot goes from the browser to Node; the page of packages/web boots to its shell.
 */
import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { loadDemoDisk, loadFirmware, Machine, seconds } from "castaway";
import { createRemote, proxy } from "castaway/remote";
import nodeEndpoint from "comlink/dist/umd/node-adapter.js";
import { root } from "../../scripts/bundle.mjs";
import type { Counts } from "../../scripts/counts.ts";
import { buildPage, bundleForBrowser, serve } from "../../scripts/page.ts";
import { Chromium } from "./browser/chromium.ts";
import { boot, END, MORE, type Outcome, outcome, READY } from "./browser/trial.ts";
import { install, isInstalled } from "./oracles.ts";

const read = async (path: string) => new Uint8Array(await readFile(join(root, "firmware-blobs", path)));

const newMachine = async () =>
  Machine.create({ firmware: await loadFirmware(read), disks: [await loadDemoDisk(read)] });

const outcomeOf = (pc: Machine, printed: number): Outcome => ({
  now: pc.now,
  instructions: pc.instructions,
  digest: pc.digest(),
  printed,
});

/** Without worker or slices: two calls of `run`. */
async function directly(): Promise<Outcome> {
  const pc = await newMachine();
  const { reason, detail } = pc.run({ until: pc.com1.shows(READY), atMost: END });
  if (reason !== "watch") throw new Error(`no ${READY}: ${reason} ${detail}\n${pc.com1.text.slice(-600)}`);
  pc.com1.type("echo hello from outside\n");
  pc.run({ atMost: END - pc.now });
  if (!pc.com1.text.includes("\nhello from outside")) throw new Error(`no shell:\n${pc.com1.text.slice(-600)}`);
  return outcomeOf(pc, pc.com1.text.length);
}

/** The bundle that the browser runs, in worker_threads. */
async function inWorkerThread(folder: string): Promise<Outcome> {
  const worker = new Worker(join(folder, "node-worker.js"));
  try {
    const blob = (path: string) => join(root, "firmware-blobs", path);
    const pc = await createRemote(nodeEndpoint(worker), {
      firmware: { bios: blob("seabios/bios.bin"), videoBios: blob("seabios/vgabios-stdvga.bin") },
      disks: [blob("demo/demo.img.gz")],
    });
    let printed = 0;
    await pc.onSerial(
      proxy((bytes: Uint8Array) => {
        printed += bytes.length;
      }),
    );
    await boot(pc);
    return await outcome(pc, () => printed);
  } finally {
    await worker.terminate();
  }
}

/** A snapshot that another host made, and some more time. */
async function restored(snapshot: Uint8Array, printed: number): Promise<{ end: Outcome; later: Outcome }> {
  const pc = await newMachine();
  await pc.restore(snapshot);
  const end = outcomeOf(pc, printed);
  pc.run({ atMost: MORE });
  return { end, later: outcomeOf(pc, printed + pc.com1.text.length) };
}

type InPage = { end: Outcome; snapshot: string; later: Outcome };

/** Runs the test's page in a browser: see browser/page.ts. */
async function inBrowser(browser: Chromium, url: string): Promise<InPage> {
  await browser.open(`${url}trial.html`);
  await browser.waitFor("page", "typeof trial === 'function'", 20);
  return await browser.evaluate<InPage>("trial()");
}

/** The page as visitors see it: a terminal that can be typed into, and a screen. */
async function visit(browser: Chromium, url: string): Promise<void> {
  const shown = 'document.querySelector(".xterm-rows")?.textContent.replaceAll("\\u00a0", " ")';
  await browser.open(url);
  await browser.waitFor("shell in the terminal", `${shown}?.includes("castaway# ")`, 60);
  await browser.type("check\n");
  await browser.waitFor("CHECK-OK in the terminal", `${shown}.includes("CHECK-OK")`, 60);
  const lit = `(() => {
    const canvas = document.querySelector("canvas#screen");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.some((value, i) => i % 4 < 3 && value > 100);
  })()`;
  await browser.waitFor("text on the screen", lit, 5);
  await browser.waitFor("speed in the status line", `/\\d MIPS/.test(document.querySelector("#status").value)`, 5);
  if (browser.complaints.length > 0) throw new Error(browser.complaints.join("\n"));
}

function same(is: Outcome, wanted: Outcome): string {
  const text = ({ digest, instructions, now, printed }: Outcome) =>
    `digest ${digest}, ${instructions} instructions at ${now / seconds(1)} s, ${printed} characters`;
  if (text(is) !== text(wanted)) throw new Error(`${text(is)}\n      but ${text(wanted)}`);
  return text(is);
}

export async function systemBrowser(): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0 };
  /** One line of the report; null if it failed. */
  const report = async <T>(name: string, run: () => Promise<[T, string]>): Promise<T | null> => {
    const start = performance.now();
    try {
      const [value, detail] = await run();
      console.log(`ok    ${name}: ${((performance.now() - start) / 1000).toFixed(1)} s${detail && `, ${detail}`}`);
      counts.passed++;
      return value;
    } catch (e) {
      console.log(`WRONG ${name}: ${e instanceof Error ? e.message : String(e)}`);
      counts.failed++;
      return null;
    }
  };

  const folder = join(root, ".cache/browser");
  await buildPage(folder);
  await bundleForBrowser(
    {
      worker: "packages/web/src/worker.ts",
      "node-worker": "test/system/browser/node-worker.ts",
      trial: "test/system/browser/page.ts",
    },
    folder,
  );
  writeFileSync(
    join(folder, "trial.html"),
    '<!doctype html><link rel="icon" href="data:,"><script type="module" src="trial.js"></script>',
  );

  const reference = await report("in Node", async () => {
    const end = await directly();
    return [end, same(end, end)];
  });
  if (reference === null) return counts;
  await report("in worker_threads", async () => [null, same(await inWorkerThread(folder), reference)]);

  if (!isInstalled("chromium")) install(["chromium"]);
  const { server, url } = await serve(folder, 0);
  const browser = await report("Chromium starts", async () => [await Chromium.launch(), ""]);
  if (browser !== null) {
    const page = await report("in a Web Worker of Chromium", async () => {
      const found = await inBrowser(browser, url);
      return [found, same(found.end, reference)];
    });
    if (page !== null)
      await report("a snapshot of the browser's in Node", async () => {
        const snapshot = new Uint8Array(Buffer.from(page.snapshot.slice(page.snapshot.indexOf(",") + 1), "base64"));
        const { end, later } = await restored(snapshot, page.end.printed);
        same(end, reference);
        return [null, `${(snapshot.length / 2 ** 20).toFixed(1)} MiB; then ${same(later, page.later)}`];
      });
    await report("the page of packages/web", async () => [await visit(browser, url), ""]);
    if (counts.failed > 0) {
      const picture = await browser.screenshot().catch(() => null); // none if it is gone
      if (picture !== null) writeFileSync(join(folder, "failed.png"), picture);
    }
    await browser.close();
  }
  server.close();
  return counts;
}
