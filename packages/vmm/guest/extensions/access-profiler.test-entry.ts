/** The profiler, with a guest that is told what to touch. */
import { startExtensions } from "../api/extension.ts";
import { Registry } from "../api/registry.ts";
import "./access-profiler.ts";

const registry = new Registry();

export function start(sectors: u64): void {
  registry.diskSectors = sectors;
  startExtensions(registry);
}
export function poll(now: u64): void {
  registry.poll(now);
}
export function touch(write: bool, lba: u64, sectors: u32): void {
  registry.diskCommand(write, lba, sectors);
}
export function hypercall(number: u64): bool {
  return registry.call(number, 0);
}
export function complete(): void {
  registry.complete();
}
export function leave(): void {
  registry.leave();
}
