/**
 * QEMU's state as a migration stream: the one way to give it a processor state as it is, hidden parts of segment registers
 * and all. The stream ends with a description of itself in JSON, so no offset of any version is written here
 * [QEMU docs/devel/migration.rst, "Stream structure"].
 */

interface FieldText {
  readonly name: string;
  readonly size: number;
  readonly array_len?: number;
  readonly struct?: { readonly fields: readonly FieldText[] };
}
interface DeviceText {
  readonly name: string;
  readonly instance_id: number;
  readonly fields: readonly FieldText[];
}

export class MigrationStream {
  readonly bytes: Buffer;
  readonly #devices: readonly DeviceText[];

  /** @throws Error if it is not a stream with a description */
  constructor(bytes: Buffer) {
    this.bytes = Buffer.from(bytes);
    const start = bytes.lastIndexOf('{"page_size"');
    if (bytes.toString("latin1", 0, 4) !== "QEVM" || start < 0) throw new Error("QEMU's state has no description");
    const text = bytes.toString("utf8", start, bytes.lastIndexOf("}") + 1);
    this.#devices = (JSON.parse(text) as { devices: DeviceText[] }).devices;
  }

  /** The fields of a device, to be patched. The first whose name ends so. */
  device(name: string): DeviceFields {
    const device = this.#devices.find((d) => d.name === name || d.name.endsWith(`/${name}`));
    if (device === undefined) throw new Error(`QEMU's state has no "${name}"`);
    const instance = Buffer.alloc(4);
    instance.writeUInt32BE(device.instance_id);
    const header = Buffer.concat([Buffer.from([device.name.length]), Buffer.from(device.name, "latin1"), instance]);
    const at = this.bytes.indexOf(header);
    if (at < 0) throw new Error(`QEMU's state has no section "${device.name}"`);
    const VERSION = 4;
    return new DeviceFields(this.bytes, at + header.length + VERSION, device.fields);
  }
}

/** Numbers in a stream are big-endian. */
export class DeviceFields {
  readonly #bytes: Buffer;
  readonly #places = new Map<string, { at: number; size: number }>();

  constructor(bytes: Buffer, at: number, fields: readonly FieldText[]) {
    this.#bytes = bytes;
    this.#place("", at, fields);
  }
  /** Elements of arrays are `name.0`, parts of structures `name.part`. */
  #place(prefix: string, start: number, fields: readonly FieldText[]): number {
    let at = start;
    for (const { name, size, array_len, struct } of fields) {
      for (let i = 0; i < (array_len ?? 1); i++) {
        const path = prefix + name + (array_len === undefined ? "" : `.${i}`);
        this.#places.set(path, { at, size });
        if (struct !== undefined) this.#place(`${path}.`, at, struct.fields);
        at += size;
      }
    }
    return at;
  }
  #found(path: string): { at: number; size: number } {
    const place = this.#places.get(path);
    if (place === undefined) throw new Error(`QEMU's state has no "${path}"`);
    return place;
  }
  /** Cut to the field's width. */
  set(path: string, value: bigint | number): void {
    const { at, size } = this.#found(path);
    const text = BigInt.asUintN(8 * size, BigInt(value))
      .toString(16)
      .padStart(2 * size, "0");
    this.#bytes.write(text, at, "hex");
  }
  setBytes(path: string, offset: number, bytes: Uint8Array): void {
    const { at, size } = this.#found(path);
    if (offset + bytes.length > size) throw new Error(`"${path}" has ${size} bytes`);
    this.#bytes.set(bytes, at + offset);
  }
}
