/**
 * The page's side: a machine that runs in a worker, as an object whose methods return promises. It holds no emulator: a
 * page that imports this stays small. In Node give `nodeEndpoint(worker)` of comlink's node adapter for the worker.
 *
 *     import { createRemote, proxy } from "castaway/remote";
 *
 *     const worker = new Worker("worker.js", { type: "module" });
 *     const pc = await createRemote(worker, {
 *       firmware: { bios: "firmware/seabios/bios.bin", videoBios: "firmware/seabios/vgabios-stdvga.bin" },
 *       disks: ["firmware/demo/demo.img.gz"],
 *     });
 *     await pc.onSerial(proxy((bytes: Uint8Array) => terminal.write(bytes)));
 *     const stop = await pc.run({ until: "castaway# ", atMost: 60e9 });
 *     if (stop.reason !== "watch") throw new Error(`no shell: ${stop.reason} ${stop.detail}`);
 *     await pc.type("check\n");
 *     await pc.run({ until: "CHECK-OK", atMost: 60e9 });
 *     const snapshot = await pc.save();
 *     console.log(await pc.digest(), await pc.inspect("cpu0.RIP"), snapshot.length);
 *     worker.terminate();
 */
import { type Endpoint, type Remote, wrap } from "comlink";
import type { RemoteOptions } from "./protocol.ts";
import type { MachineService } from "./service.ts";
import type { MachineFactory } from "./worker.ts";

export type { Key, Picture } from "@castaway/devices";
export { proxy, transfer } from "comlink";
export type * from "./protocol.ts";

/** {@link MachineService} from afar. Errors arrive as `Error` with their `name` and `message`. */
export type RemoteMachine = Remote<MachineService>;

/** One for each worker, kept: a proxy that is collected makes the worker deaf. */
const factories = new WeakMap<object, Remote<MachineFactory>>();

/**
 * Builds a machine in a worker that called `serveMachines`, and switches it on. A worker may have several, all by the same endpoint.
 * @throws ConfigError (by its name); what the worker's `read` throws
 */
export async function createRemote(endpoint: Endpoint, options: RemoteOptions): Promise<RemoteMachine> {
  const factory = factories.get(endpoint) ?? wrap<MachineFactory>(endpoint);
  factories.set(endpoint, factory);
  return (await factory.create(options)) as RemoteMachine;
}
