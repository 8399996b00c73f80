/** The command line: commands, their help, and how errors end. One file a command. */
import { Command, CommanderError } from "commander";
import manifest from "../package.json" with { type: "json" };
import { boot } from "./boot.ts";
import type { Console, Program } from "./console.ts";
import { deploy } from "./deploy/deploy.ts";
import { deployCommand } from "./deploy/options.ts";
import { EXIT, explain, UserError } from "./exit.ts";
import { bootCommand } from "./options.ts";
import { build } from "./vmm/build.ts";
import { vmmCommand } from "./vmm/options.ts";
import { profile } from "./vmm/profile.ts";

/**
 * @param args of the command line, from the command's name on
 * @param blobs where firmware and demo disk are: a folder, with "/" at its end
 * @param vmm gives the project's hypervisor, built if need be
 * @param vmmSources gives what it is built from
 * @returns the exit code
 */
export async function main(
  args: readonly string[],
  blobs: URL,
  { stdin, stdout, stderr }: Pick<NodeJS.Process, "stdin" | "stdout" | "stderr"> = process,
  vmm: () => Promise<Program> = noProgram,
  vmmSources: Console["vmmSources"] = noSources,
): Promise<number> {
  const console: Console = { in: stdin, out: stdout, err: stderr, blobs, vmm, vmmSources };
  let code: number = EXIT.done;
  const program = new Command("castaway")
    .description("A PC in pure TypeScript.")
    .version(manifest.version)
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, "castaway: ")),
    })
    .showSuggestionAfterError()
    .exitOverride();
  const commands = [
    deployCommand(async (options) => {
      code = await deploy(options, console);
    }),
    bootCommand(async (options) => {
      code = await boot(options, console);
    }),
    vmmCommand({
      build: async (options) => {
        code = await build(options, console);
      },
      profile: async (log, options) => {
        code = profile(log, options, console);
      },
    }),
  ];
  for (const command of commands) {
    program.addCommand(command.copyInheritedSettings(program));
    for (const inner of command.commands) inner.copyInheritedSettings(program);
  }
  try {
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.wrong;
    const { line, code } = explain(error);
    stderr.write(`castaway: ${line}\n`);
    return code;
  }
}

const noProgram = () => Promise.reject(new UserError("there is no hypervisor here; give one with --vmm FILE"));
const noSources = () => Promise.reject(new UserError("the hypervisor's sources are not here"));
