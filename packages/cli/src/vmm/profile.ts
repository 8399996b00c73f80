/** `castaway vmm profile`: a picture of what the access profiler wrote to a log. */
import { drawProfile, parseProfile } from "@castaway/vmm/host";
import { type Console, readText } from "../console.ts";
import { EXIT, UserError } from "../exit.ts";
import type { ProfileOptions } from "./options.ts";

/** @returns the exit code. @throws UserError */
export function profile(path: string, options: ProfileOptions, { out }: Console): number {
  const found = parseProfile(readText(path));
  if (found === null)
    throw new UserError(
      `${path} has no profile; castaway deploy --log 1 prints it, with the extension access-profiler.ts`,
    );
  out.write(`${drawProfile(found, options)}\nreads: ${found.reads}, writes: ${found.writes}\n`);
  return EXIT.done;
}
