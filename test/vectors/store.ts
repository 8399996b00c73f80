/** Vector files: what the hardware did, a file for each family of definitions, in test/vectors/data. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import type { Host } from "./capture.ts";
import { Reader, Writer } from "./codec.ts";

const FORMAT = 1;
const SIGNATURE = Buffer.from("CASTVEC1");
const EXTENSION = ".vec";

/** The outcomes of one form. Their cases are made again from the form's identity; `inputs` is their checksum. */
export interface StoredForm {
  readonly id: string;
  readonly cases: number;
  readonly inputs: number;
  /** Which of the file's hosts ran them. */
  readonly host: number;
  /** Records of codec.ts, one a case. */
  readonly outcomes: Uint8Array;
}

export interface VectorFile {
  readonly seed: number;
  readonly hosts: readonly Host[];
  readonly forms: readonly StoredForm[];
}

type Header = Omit<VectorFile, "forms"> & {
  format: number;
  forms: [id: string, cases: number, inputs: number, host: number][];
};

export function encodeFile(file: VectorFile): Uint8Array {
  const { seed, hosts, forms } = file;
  const header: Header = { format: FORMAT, seed, hosts, forms: forms.map((f) => [f.id, f.cases, f.inputs, f.host]) };
  const text = Buffer.from(JSON.stringify(header));
  const writer = new Writer();
  writer.number(text.length);
  writer.bytes(text);
  for (const { outcomes } of forms) {
    writer.number(outcomes.length);
    writer.bytes(outcomes);
  }
  const body = writer.done();
  const params = { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: body.length };
  return Buffer.concat([SIGNATURE, brotliCompressSync(body, { params })]);
}

export function decodeFile(bytes: Uint8Array, name = "vectors"): VectorFile {
  if (!SIGNATURE.equals(bytes.subarray(0, SIGNATURE.length))) throw new Error(`${name}: not a vector file`);
  const reader = new Reader(new Uint8Array(brotliDecompressSync(bytes.subarray(SIGNATURE.length))));
  const header: Header = JSON.parse(Buffer.from(reader.bytes(reader.number())).toString());
  if (header.format !== FORMAT) throw new Error(`${name}: format ${header.format}, but this program reads ${FORMAT}`);
  const forms = header.forms.map(([id, cases, inputs, host]) => {
    return { id, cases, inputs, host, outcomes: reader.bytes(reader.number()) };
  });
  return { seed: header.seed, hosts: header.hosts, forms };
}

/** The folder of vector files. */
export class Store {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }
  families(): string[] {
    if (!existsSync(this.folder)) return [];
    const files = readdirSync(this.folder).filter((file) => file.endsWith(EXTENSION));
    return files.map((file) => file.slice(0, -EXTENSION.length)).sort();
  }
  read(family: string): VectorFile | undefined {
    const path = this.#path(family);
    return existsSync(path) ? decodeFile(readFileSync(path), path) : undefined;
  }
  write(family: string, file: VectorFile): void {
    mkdirSync(this.folder, { recursive: true });
    writeFileSync(this.#path(family), encodeFile(file));
  }
  remove(family: string): void {
    rmSync(this.#path(family), { force: true });
  }
  #path(family: string): string {
    return join(this.folder, `${family}${EXTENSION}`);
  }
}
