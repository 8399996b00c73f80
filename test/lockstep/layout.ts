/** Where each register is in the bytes of a `g` packet: what the stub's target description says [GDB manual, appendix G]. */
import type { Remote } from "./remote.ts";

export interface Place {
  readonly name: string;
  /** Its number in `P` packets. */
  readonly number: number;
  readonly offset: number;
  readonly bytes: number;
}

export interface Layout {
  readonly places: readonly Place[];
  readonly bytes: number;
}

/** The registers of target descriptions, in their order. Comments hold registers that are not there. */
export function layoutOf(...descriptions: readonly string[]): Layout {
  const places: Place[] = [];
  let offset = 0;
  for (const text of descriptions) {
    for (const [element] of text.replace(/<!--[\s\S]*?-->/g, "").matchAll(/<reg\s[^>]*>/g)) {
      const attribute = (name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(element)?.[1];
      const bytes = Number(attribute("bitsize")) / 8;
      const number = Number(attribute("regnum") ?? (places.at(-1)?.number ?? -1) + 1);
      places.push({ name: attribute("name")!, number, offset, bytes });
      offset += bytes;
    }
  }
  return { places, bytes: offset };
}

export function readLayout(remote: Remote): Layout {
  const target = remote.file("features", "target.xml");
  const included = [...target.matchAll(/<xi:include href="([^"]+)"/g)].map(([, name]) =>
    remote.file("features", name!),
  );
  return layoutOf(target, ...included);
}
