/**
 * `npm run bench -- net [--json] [--only NAME]`: what a stream between two machines reaches in virtual time, and what frames,
 * datagrams and AoE requests cost in host time.
 */
import { cpus } from "node:os";
import { ms } from "@castaway/kit";
import { stream } from "../../test/system/net/stream/stream.ts";
import { aoeRates } from "./aoe.ts";
import { frameCosts } from "./frame-cost.ts";
import { hostCosts } from "./hosts.ts";

export function benchNet(json: boolean, only: string | undefined): void {
  const say = json ? () => {} : (line: string) => console.log(line);
  const wanted = (name: string) => only === undefined || name.includes(only);
  const report = { stream: {}, frameCost: {}, hosts: {}, aoe: {} } as Record<string, Record<string, unknown>>;
  say(`${cpus()[0]?.model ?? "unknown CPU"}, Node ${process.version}`);

  if (wanted("stream")) {
    say(`\nstream at 1 Gbit/s, virtual    wire     payload`);
    for (const payload of [9000, 1500]) {
      const { utilisation, goodput, frames, wrong } = stream(payload, ms(20));
      const percent = (share: number) => `${(100 * share).toFixed(1)} %`.padStart(9);
      say(`${`frames of ${payload}`.padEnd(27)}${percent(utilisation)}${percent(goodput)}`);
      report["stream"]![payload] = { utilisation, goodput, frames, wrong };
    }
  }
  say(`\nframe, card to card         us of host time`);
  for (const { name, nanoseconds } of frameCosts((name) => wanted(`frame ${name}`))) {
    say(`${name.padEnd(28)}${(nanoseconds / 1000).toFixed(2).padStart(6)}`);
    report["frameCost"]![name] = nanoseconds / 1000;
  }
  if (wanted("hosts")) {
    const { datagram, ping } = hostCosts();
    say(`\n1,400 bytes between hosts   us of host time`);
    say(`${"UDP datagram".padEnd(28)}${datagram.toFixed(2).padStart(6)}`);
    say(`${"ping and its reply".padEnd(28)}${ping.toFixed(2).padStart(6)}`);
    Object.assign(report["hosts"]!, { datagram, ping });
  }
  say(`\nreads by AoE             a second of host time`);
  for (const { name, requests, mebibytes } of aoeRates(wanted)) {
    say(`${name.padEnd(22)}${requests.toFixed(0).padStart(9)}${mebibytes.toFixed(0).padStart(8)} MiB`);
    report["aoe"]![name] = { requestsPerSecond: requests, mebibytesPerSecond: mebibytes };
  }
  if (json) console.log(JSON.stringify(report));
}
