/** Plays actions on a network in several ways and compares. */
import { Random } from "@castaway/kit";
import { difference, judge } from "../devices/check.ts";
import { Failure } from "../devices/failure.ts";
import { type Action, type Setup, sourceOf } from "./actions.ts";
import { Watch, World } from "./world.ts";

/** The host's time for a list of actions, in milliseconds: a hundred times what they take. */
const PATIENCE = 20_000;
const CHECKED_EVERY = 16;

/** What is still under way arrives, or is lost. */
const aftermath = 3_000_000;

type Run = { readonly world: World; readonly heard: string };

/** @returns what is wrong, or null; and the frames that reached stations */
export function examine(setup: Setup, actions: readonly Action[], limit = PATIENCE) {
  let frames = 0;
  const failure = judge(limit, () => {
    const straight = play(setup, actions, null);
    frames = straight.world.watch.frames;
    const cut = play(setup, actions, new Random(`${setup.seed}/cuts`));
    const found = differs(straight, cut);
    if (found === "") return;
    const again = differs(straight, play(setup, actions, null));
    if (again !== "") throw new Failure("chance", `the second time ${again}`);
    throw new Failure("restore", `cut, saved and restored on the way ${found}`);
  });
  return { failure, frames };
}

/** @param cuts where to save and restore, and to cut runs in two; null: nowhere */
function play(setup: Setup, actions: readonly Action[], cuts: Random | null): Run {
  const watch = new Watch();
  let world = new World(setup, watch);
  for (const [n, action] of [...actions, ["run", aftermath] as Action].entries()) {
    try {
      if (cuts?.chance(0.1)) world = world.hop();
      if (cuts !== null && action[0] === "run" && cuts.chance(0.5)) world = inTwo(world, action[1], cuts);
      else world.do(action);
      if (cuts === null && n % CHECKED_EVERY === 0) world.check();
    } catch (error) {
      if (error instanceof Failure)
        throw new Failure(error.kind, `${error.message.replace(/^\w+: /, "")}, at ${sourceOf(action)}`);
      throw error;
    }
  }
  world.check();
  return { world, heard: watch.heard.hex() };
}

/** A run in two pieces, sometimes saved and restored between them. */
function inTwo(world: World, time: number, cuts: Random): World {
  const end = world.net.now + time;
  world.run(cuts.below(time + 1));
  const next = cuts.chance(0.3) ? world.hop() : world;
  next.run(Math.max(0, end - next.net.now));
  return next;
}

function differs(a: Run, b: Run): string {
  const found = difference(a.world.states(), b.world.states());
  if (found !== "") return found;
  return a.heard === b.heard ? "" : "stations hear something else";
}
