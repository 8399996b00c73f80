/** Linux's own `aoe` driver on our server: files of an ext4 image are read, and written through an overlay for each client. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { seconds } from "@castaway/kit";
import { AoeServer, parseMac } from "@castaway/net";
import { ImageDisk, OverlayDisk } from "castaway";
import { dataImage, sha256, sizes } from "./image.ts";
import { Lab, type Linux } from "./linux.ts";

const SECTOR = 512;
/** An answer's headers before the sectors, Ethernet's not counted. */
const HEADERS = 36 - 14;

type Reading = { readonly file: keyof typeof sha256; readonly mtu?: number; readonly loss?: number };

/** A server with the image at e0.1; each client writes to an overlay of its own. */
export function serve(lab: Lab, image: Uint8Array, mtu = 1500) {
  const disk = new ImageDisk(image);
  const overlays = new Map<number, OverlayDisk>();
  const overlay = (client: number) => {
    const made = new OverlayDisk(disk);
    overlays.set(client, made);
    return made;
  };
  const mac = parseMac("52:54:00:00:01:00");
  const targets = [{ shelf: 0, slot: 1, disk, overlay }];
  const server = lab.net.plug(lab.lan, (place) => new AoeServer({ ...place, mac, mtu, targets }), { mtu });
  return { server, overlays };
}

/** Waits for the disk and mounts it on /mnt. */
export function mount(lab: Lab, linux: Linux, how: "ro" | "rw"): void {
  lab.run(linux, "echo > /dev/etherd/discover; until [ -b /dev/etherd/e0.1 ]; do usleep 20000; done");
  lab.run(linux, `mount -t ext4 -o ${how} /dev/etherd/e0.1 /mnt`);
}

/** Reads a file; with losses the client asks again for what does not come. */
export function readsByAoe({ file, mtu = 1500, loss = 0 }: Reading): string {
  const lab = new Lab({ link: { mtu } });
  const { server } = serve(lab, dataImage(), mtu);
  const [linux] = lab.linuxes(1);
  mount(lab, linux, "ro");
  const perRequest = Math.floor((mtu - HEADERS) / SECTOR);
  assert.match(lab.run(linux, "dmesg"), new RegExp(`e0\\.1: setting ${perRequest * SECTOR} byte data frames`));

  const before = server.statistics.requests.read;
  const wires = lab.net.links.flatMap(({ toA, toB }) => [toA, toB]);
  for (const wire of wires) wire.change({ loss });
  const start = lab.net.now;
  const { sent } = linux.socket.statistics;
  lab.run(linux, `cat /mnt/${file} > /dev/null`, seconds(600));
  const took = (lab.net.now - start) / 1e9;
  for (const wire of wires) wire.change({ loss: 0 });
  assert.ok(lab.run(linux, `sha256sum /mnt/${file}`).startsWith(sha256[file])); // out of the guest's cache

  const reads = server.statistics.requests.read - before;
  const asked = linux.socket.statistics.sent - sent;
  const lost = wires.reduce((sum, { statistics }) => sum + statistics.lost, 0);
  const least = Math.ceil(sizes[file] / (perRequest * SECTOR));
  assert.equal(server.statistics.aoeErrors + server.statistics.ataErrors, 0);
  assert.ok(reads >= least);
  if (loss === 0) {
    assert.equal(lost, 0);
    assert.ok(reads <= least * 1.05, `${reads} requests where ${least} would do`);
  } else assert.ok(reads > least && asked > reads, "some requests are sent again");
  const speed = (sizes[file] / took / 1e6).toFixed(1);
  return `${sizes[file]} bytes in ${took.toFixed(3)} s of virtual time, ${speed} MB/s, ${asked} requests sent, ${reads} answered, ${lost} frames lost`;
}

/** Writes a file, and finds it again after the file system was unmounted; the image and the other client see nothing of it. */
export function writesByAoe(): string {
  const image = dataImage();
  const digest = () => createHash("sha256").update(image).digest("hex");
  const before = digest();
  const lab = new Lab();
  const { server, overlays } = serve(lab, image);
  const [writer, reader] = lab.linuxes(2);
  mount(lab, writer, "rw");
  lab.run(writer, "head -c 3000000 /mnt/random > /mnt/written; rm /mnt/short; sync; umount /mnt");
  mount(lab, writer, "rw");
  lab.run(writer, "head -c 3000000 /mnt/random | cmp - /mnt/written; ! [ -e /mnt/short ]");
  lab.run(writer, "umount /mnt; echo 3 > /proc/sys/vm/drop_caches");
  mount(lab, reader, "ro");
  assert.match(lab.run(reader, "ls /mnt"), /random\s+sbin\s+short\s/);
  assert.doesNotMatch(lab.run(reader, "ls /mnt"), /written/);
  assert.equal(digest(), before);
  assert.deepEqual([...overlays.keys()], [parseMac(writer.mac)]);
  assert.ok(server.statistics.bytesWritten > 3_000_000);
  assert.equal(server.statistics.aoeErrors + server.statistics.ataErrors, 0);
  const { write, flush } = server.statistics.requests;
  return `${server.statistics.bytesWritten} bytes in ${write} requests, ${flush} flushes`;
}
