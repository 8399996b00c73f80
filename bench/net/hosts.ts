/** What datagrams between two hosts on a switch cost the host: 1,400 bytes by UDP, and a ping of as many, there and back. */
import { us } from "@castaway/kit";
import { Host, Network } from "@castaway/net";

const count = 500;
const size = 1400;
/** Many short rounds: the best of them met nobody else on the machine. */
const rounds = 40;
const port = 9;

/** Microseconds of host time for one. */
export function hostCosts(): { datagram: number; ping: number } {
  const net = new Network({ seed: 1 });
  const lan = net.switch();
  const [one, other] = [1, 2].map((n) =>
    net.plug(lan, (place) => new Host({ ...place, mac: `52:54:00:00:00:0${n}`, address: `10.0.2.${n}` })),
  );
  let arrived = 0;
  other.listen(port, () => void arrived++);
  const data = new Uint8Array(size);
  const datagram = best(() => {
    one.send({ to: other.address, toPort: port, fromPort: port, data });
    net.run(us(20));
  });
  net.run(us(500));
  let answered = 0;
  const ping = best(() => {
    one.ping(other.address, ({ time }) => void (answered += time === null ? 0 : 1), size);
    net.run(us(20));
  });
  net.run(us(500));
  if (arrived !== rounds * count || answered !== rounds * count) throw new Error(`${arrived}, ${answered} arrived`);
  return { datagram, ping };
}

function best(once: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    for (let n = 0; n < count; n++) once();
    least = Math.min(least, ((performance.now() - start) * 1000) / count);
  }
  return least;
}
