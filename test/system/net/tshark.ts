/** What tshark, if it is installed, reads in a capture of ours. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Reads a pcap-ng file; checksums of IPv4 and UDP are checked.
 * @returns the fields of each frame, separated by tabs; null if tshark is not installed
 * @throws Error if it finds a damaged file, a malformed packet or a wrong checksum
 */
export function readByTshark(capture: Uint8Array, fields: readonly string[]): string[] | null {
  if (spawnSync("tshark", ["--version"]).error !== undefined) return null;
  const folder = mkdtempSync(join(tmpdir(), "castaway-"));
  try {
    const file = join(folder, "lan.pcapng");
    writeFileSync(file, capture);
    const checks = ["ip.check_checksum:TRUE", "udp.check_checksum:TRUE"].flatMap((preference) => ["-o", preference]);
    const columns = [...fields, "_ws.malformed", "_ws.expert.message"].flatMap((field) => ["-e", field]);
    const { status, stdout, stderr } = spawnSync("tshark", ["-r", file, ...checks, "-T", "fields", ...columns], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    if (status !== 0 || /error|damaged|corrupt|cut short/.test(stderr)) throw new Error(`tshark: ${stderr}`);
    const frames = stdout.trimEnd().split("\n");
    const wrong = frames.filter((line) => /malformed|checksum/i.test(line));
    if (wrong.length > 0) throw new Error(`tshark finds wrong frames:\n${wrong.join("\n")}`);
    return frames.map((line) => line.split("\t").slice(0, fields.length).join("\t"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
