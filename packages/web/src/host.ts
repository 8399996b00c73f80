/** What a machine in a Web Worker needs of the browser. */
import type { WorkerHost } from "castaway/worker";

/** Comes back when waiting messages have been seen. Timers would take 4 ms each time: [HTML] "Timers", nesting level. */
function yieldToMessages(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

export const browserHost: WorkerHost = {
  now: () => performance.now(),
  sleep: (ms) => (ms < 1 ? yieldToMessages() : new Promise((resolve) => setTimeout(resolve, ms))),
  async read(url) {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
    return new Uint8Array(await response.arrayBuffer());
  },
};
