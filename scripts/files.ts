import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { root } from "./bundle.mjs";

/**
 * The project's files, relative to its folder, sorted: what git tracks, and what it would track if added.
 * Deleted files that git still lists are left out. Without git (an unpacked archive): all files but what is generated.
 */
export function projectFiles(): string[] {
  return (existsSync(`${root}/.git`) ? listed() : walked("")).sort();
}

function listed(): string[] {
  const output = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  return [...new Set(output.split("\0"))].filter((file) => file !== "" && existsSync(`${root}/${file}`));
}

function walked(folder: string): string[] {
  const entries = readdirSync(`${root}/${folder}`, { withFileTypes: true });
  return entries.flatMap((entry) => {
    if (["node_modules", ".cache", "dist"].includes(entry.name)) return [];
    return entry.isDirectory() ? walked(`${folder}${entry.name}/`) : [`${folder}${entry.name}`];
  });
}
