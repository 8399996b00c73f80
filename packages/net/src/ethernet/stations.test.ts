import { Random } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Station, Stations } from "./stations.ts";

test("the table is that of a plain list, whatever is heard and forgotten", () => {
  const random = new Random(3);
  const stations = new Stations(10);
  let plain: Station[] = [];
  for (let now = 1; now < 4000; now++) {
    const address = 1 + random.below(14);
    const port = random.below(4);
    const known = plain.find((station) => station.address === address);
    if (random.chance(0.02)) {
      stations.forgetPort(port);
      plain = plain.filter((station) => station.port !== port);
    } else if (random.chance(0.1)) {
      const time = now - random.below(40);
      stations.forgetUntil(time);
      plain = plain.filter(({ seen }) => seen > time);
    } else if (random.chance(0.01)) {
      plain = plain.slice(0, 4);
      stations.all = plain;
    } else {
      const full = known === undefined && plain.length === 10;
      const news = full ? "full" : known === undefined ? "learned" : known.port === port ? "known" : "moved";
      assert.is(stations.hear(address, port, now), news);
      if (!full) plain = [...plain.filter((station) => station !== known), { address, port, seen: now }];
    }
    assert.equal(stations.all, plain);
    assert.is(stations.portOf(address), plain.find((station) => station.address === address)?.port);
  }
});

test.run();
