/**
 * A PC whose firmware is a program of a few bytes, so that the command runs in milliseconds: it prints "hello" on COM1 and
 * sends back what it is sent; on "q" it powers off, on "h" it halts for good.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { main } from "./main.ts";

const ROM_BYTES = 0x10000;
const GREETING = 0x80; // where the text stands in the ROM
const outDx = (port: number, byte: number) => [0xba, port & 0xff, port >> 8, 0xb0, byte, 0xee];
const outDword = (port: number, value: number) => {
  const bytes = [value, value >>> 8, value >>> 16, value >>> 24].map((byte) => byte & 0xff);
  return [0xba, port & 0xff, port >> 8, 0x66, 0xb8, ...bytes, 0x66, 0xef];
};

// biome-ignore format: assembly
const program = [
  ...outDx(0x3fb, 0x83), ...outDx(0x3f8, 1), ...outDx(0x3fb, 0x03), // 115,200 baud, 8 bits
  ...outDword(0xcf8, 0x80000b40), ...outDword(0xcfc, 0x601),        // power management at port 600
  ...outDword(0xcf8, 0x80000b80), ...outDword(0xcfc, 1),            //   and on
  0x0e, 0x1f, 0xbe, GREETING, 0x00,                                 // push cs; pop ds; mov si, GREETING
  0xba, 0xf8, 0x03,                                                 // mov dx, 3f8
  0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8,                   // print: lodsb; test al, al; jz wait; out dx, al; jmp print
  0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf8,                   // wait: mov dx, 3fd; in al, dx; test al, 1; jz wait
  0xba, 0xf8, 0x03, 0xec,                                           // mov dx, 3f8; in al, dx
  0x3c, 0x71, 0x74, 0x09, 0x3c, 0x68, 0x74, 0x03, 0xee, 0xeb, 0xe9, // cmp al, 'q'; je off; cmp al, 'h'; je halt; out dx, al; jmp wait
  0xfa, 0xf4,                                                       // halt: cli; hlt
  0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, 0xeb, 0xfe,             // off: mov dx, 604; mov ax, 2000; out dx, ax; jmp $
];

/** A folder of its own for a test file; `remove` it at the end. */
export function folder(): { path: (name: string) => string; remove: () => void } {
  const at = mkdtempSync(join(tmpdir(), "castaway-cli-"));
  return { path: (name) => join(at, name), remove: () => rmSync(at, { recursive: true, force: true }) };
}

/** Writes firmware and a demo disk of 1 MiB, as firmware-blobs has them, into a folder. */
export function writeBlobs(path: string): URL {
  const bios = new Uint8Array(ROM_BYTES).fill(0xf4);
  bios.set(program, 0);
  bios.set(Buffer.from("hello\r\n\0"), GREETING);
  bios.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0); // jmp F000:0000
  mkdirSync(join(path, "seabios"), { recursive: true });
  mkdirSync(join(path, "demo"), { recursive: true });
  mkdirSync(join(path, "ipxe"), { recursive: true });
  writeFileSync(join(path, "seabios/bios.bin"), bios);
  writeFileSync(join(path, "seabios/vgabios-stdvga.bin"), Uint8Array.of(0x55, 0xaa, 1, 0xcb));
  writeFileSync(join(path, "ipxe/pxe-e1000.rom"), Uint8Array.of(0x55, 0xaa, 1, 0xcb));
  writeFileSync(join(path, "demo/demo.img.gz"), gzipSync(new Uint8Array(1 << 20)));
  return pathToFileURL(`${path}/`);
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command line in this process, without a terminal. */
export async function castaway(blobs: URL, ...args: string[]): Promise<Ran> {
  const collect = () => {
    const stream = new PassThrough();
    const pieces: Buffer[] = [];
    stream.on("data", (bytes: Buffer) => pieces.push(bytes));
    return { stream: stream as unknown as NodeJS.WriteStream, text: () => Buffer.concat(pieces).toString() };
  };
  const [out, err] = [collect(), collect()];
  const stdin = new PassThrough() as unknown as NodeJS.Process["stdin"];
  const streams = { stdin, stdout: out.stream, stderr: err.stream } as Parameters<typeof main>[2];
  const code = await main(args, blobs, streams);
  return { code, out: out.text(), err: err.text() };
}
