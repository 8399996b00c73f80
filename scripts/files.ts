import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { root } from "./bundle.mjs";

/**
 * The project's files, relative to its folder, sorted: what git tracks, and what it would track if added.
 * Deleted files that git still lists are left out.
 */
export function projectFiles(): string[] {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  return [...new Set(listed.split("\0"))].filter((file) => file !== "" && existsSync(`${root}/${file}`)).sort();
}
