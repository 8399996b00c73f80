/** Linux gets its address by DHCP from a server on a host, keeps it, and gives it back. */
import assert from "node:assert/strict";
import { seconds } from "@castaway/kit";
import { DhcpServer, formatIp, Host, type PingResult } from "@castaway/net";
import { Lab } from "./linux.ts";

const SERVER = "10.0.2.1";

export function linuxByDhcp(): string {
  const lab = new Lab();
  const host = lab.net.plug(lab.lan, (place) => new Host({ ...place, mac: "52:54:00:00:01:00", address: SERVER }));
  const pool = { first: "10.0.2.100", last: "10.0.2.199" };
  const dhcp = new DhcpServer({ host, pool, router: SERVER, dns: ["10.0.2.3"], leaseTime: 60 });
  const linux = lab.linux();

  const log = lab.run(linux, "net");
  const [lease] = dhcp.leases;
  assert.equal(dhcp.leases.length, 1);
  assert.equal(lease.state, "bound");
  assert.equal(formatIp(lease.address), "10.0.2.100");
  assert.match(log, /lease of 10\.0\.2\.100 obtained/);
  assert.match(log, /inet 10\.0\.2\.100\/24 /);
  assert.match(lab.run(linux, "ip route"), /default via 10\.0\.2\.1 dev eth0/);
  assert.match(lab.run(linux, "cat /etc/resolv.conf"), /nameserver 10\.0\.2\.3/);
  assert.match(lab.run(linux, `ping -c 5 -i 0.1 ${SERVER}`), /5 packets received, 0% packet loss/);
  const pings: PingResult[] = [];
  host.ping("10.0.2.100", (result) => pings.push(result), 1400);
  lab.until("reply to the host's ping", seconds(2), () => pings.length > 0);
  assert.notEqual(pings[0].time, null);

  // A client that stays renews its lease at half the time, and gives it back when it is told to.
  lab.run(linux, "udhcpc -i eth0 -b -s /usr/share/udhcpc.sh -p /tmp/udhcpc 2> /dev/null");
  const { request } = dhcp.statistics;
  lab.run(linux, "sleep 40");
  assert.equal(dhcp.statistics.request, request + 1);
  assert.ok(dhcp.leases[0].expires > lab.net.now + seconds(45));
  lab.run(linux, "kill -USR2 `cat /tmp/udhcpc`; sleep 1");
  assert.equal(dhcp.statistics.release, 1);
  assert.deepEqual(dhcp.leases, []);
  assert.deepEqual(
    [dhcp.statistics.nak, ...Object.values(dhcp.drops)].filter((count) => count > 0),
    [],
  );
  return `${JSON.stringify(dhcp.statistics)}, the host's ping took ${pings[0].time} ns`;
}
