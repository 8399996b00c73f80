/**
 * `npm run bench -- deploy [--json] [--only ready|streaming|latency]`: what a deployment takes, in virtual time: with a solid-state disk
 * ("ssd") and what leaving and entering a guest costs by default.
 */
import { DEFAULT_COSTS } from "@castaway/cpu";
import { benchLatency } from "./latency.ts";
import { benchReady } from "./ready.ts";
import { benchStreaming } from "./streaming.ts";

export async function benchDeploy(json: boolean, only: string | undefined): Promise<void> {
  const say = json ? () => {} : (line: string) => console.log(line);
  const wanted = (name: string) => only === undefined || name.includes(only);
  const { vmExit, vmEntry, device, walkStep } = DEFAULT_COSTS;
  const model = { disk: "ssd: 80 us to read, 20 us to write, 500 MB/s", vmExit, vmEntry, device, walkStep };
  say(`disk ${model.disk}; VM exit ${vmExit} ns, entry ${vmEntry} ns; an access to a device ${device} ns`);
  const report: Record<string, unknown> = { model };
  if (wanted("ready")) report["ready"] = await benchReady(say);
  if (wanted("streaming")) report["streaming"] = await benchStreaming(say);
  if (wanted("latency")) report["latency"] = await benchLatency(say);
  if (json) console.log(JSON.stringify(report));
}
