/** The worker for Node: machines behind comlink, in worker_threads. */
import { readFile } from "node:fs/promises";
import { setImmediate, setTimeout } from "node:timers/promises";
import { parentPort } from "node:worker_threads";
import { serveMachines } from "castaway/worker";
import nodeEndpoint from "comlink/dist/umd/node-adapter.js";

serveMachines(
  {
    now: () => performance.now(),
    sleep: (ms) => (ms < 1 ? setImmediate() : setTimeout(ms)),
    read: async (path) => new Uint8Array(await readFile(path)),
  },
  nodeEndpoint(parentPort!),
);
