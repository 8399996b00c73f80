/** The example of an extension on a whole machine: which blocks the demo's boot touches, and when. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { seconds } from "@castaway/kit";
import { buildVmm, drawProfile, parseProfile, type Touch } from "@castaway/vmm/host";
import { Laboratory } from "castaway";
import { vmmSources } from "../../../scripts/vmm.ts";
import { blob, demoImage } from "../guests/machine.ts";

const FILE = "packages/vmm/guest/extensions/access-profiler.ts";

/** The Linux kernel in an image: its place in bytes, by its boot protocol's header [Linux boot protocol 2]. */
function kernelIn(image: Uint8Array): { from: number; to: number } {
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  for (let from = 0; from + 4096 <= image.length; from += 512) {
    if (view.getUint32(from + 0x202, true) !== 0x53726448 || view.getUint16(from + 0x1fe, true) !== 0xaa55) continue; // "HdrS"
    return { from, to: from + (image[from + 0x1f1]! + 1) * 512 + view.getUint32(from + 0x1f4, true) * 16 };
  }
  return assert.fail("there is no kernel in the image");
}

const reads = (touches: readonly Touch[]) => touches.filter(({ write }) => !write);

export async function profileBoot(): Promise<string> {
  const image = demoImage();
  const { bytes } = await buildVmm({
    sources: vmmSources(),
    extensions: [FILE],
    readFile: async (path) => readFileSync(path, "utf8"),
  });
  const commandLine = { idle: seconds(2) }; // so nothing is copied, and the hypervisor stays, until the guest is up
  const lab = await Laboratory.create({ read: async (path) => blob(path), image, vmm: bytes, commandLine });
  const { com1, debugLog } = lab.machine;
  const end = debugLog.shows("the hypervisor leaves\n");
  for (const until of [com1.shows("DEMO-READY"), end])
    assert.equal(lab.run({ until, atMost: seconds(30) }).reason, "watch", until.name);

  const profile = parseProfile(debugLog.text);
  assert(profile !== null);
  const [first] = profile.touches;
  assert.deepEqual([first!.first, first!.write], [0, false], "a boot begins with the first sector");
  assert(first!.microseconds < 100_000, `${first!.microseconds} us`);
  const read = new Map(
    reads(profile.touches).flatMap(({ microseconds, first, count }) =>
      Array.from({ length: count }, (_, n) => [first + n, microseconds] as const),
    ),
  );
  const unit = profile.unitSectors * 512,
    { from, to } = kernelIn(image);
  for (let n = Math.floor(from / unit); n * unit < to; n++) assert(read.has(n), `unit ${n} has a part of the kernel`);
  const share = read.size / Math.ceil(image.length / unit);
  assert(share < 0.9, `a boot reads less than all: ${share}`);
  console.log(drawProfile(profile, { rows: 6 }));
  return `${profile.reads} reads touch ${Math.round(100 * share)} % of the image`;
}
