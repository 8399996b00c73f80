/** What is compiled with the hypervisor and is not part of it. */
import { panic } from "../panic.ts";
import { Registry } from "./registry.ts";

/** Told of the course of things, if it was given to `Registry.tell` or is an extension. */
export abstract class Course {
  /** Every block of the image is on the disk, and that is recorded there. The guest may write on. */
  complete(): void {}
  /** The hypervisor goes: the last words, before the guest has its hardware again. Nothing is called after it. */
  leaving(): void {}
}

/**
 * One extension. Its file makes an object and registers it:
 *
 *     class Mine extends Extension { start(registry: Registry): void { registry.observeDisk(..); } }
 *     register(new Mine());
 *
 * The file's own code runs before `main`: it may make objects, and must leave memory that devices use, the log's level
 * and all hardware to {@link Extension.start}.
 */
export abstract class Extension extends Course {
  /**
   * Boot, on the first processor: disk, server and interceptors of the hypervisor are there, the guest is not. It makes
   * all that it will need (later `new` stops the machine), and registers it.
   */
  abstract start(registry: Registry): void;
}

const MOST: i32 = 16;
const all = new StaticArray<Extension | null>(MOST);
let count: i32 = 0;

/** For the last line of an extension's file. */
export function register(extension: Extension): void {
  if (count === MOST) panic("more than 16 extensions");
  all[count++] = extension;
}

/** Starts them in the order of their files on the command line. */
export function startExtensions(registry: Registry): void {
  for (let i = 0; i < count; i++) {
    const extension = all[i]!;
    registry.tell(extension);
    extension.start(registry);
  }
}
