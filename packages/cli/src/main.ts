/** The command line: commands, their help, and how errors end. One file a command. */
import { Command, CommanderError } from "commander";
import manifest from "../package.json" with { type: "json" };
import { boot } from "./boot.ts";
import { EXIT, explain } from "./exit.ts";
import { bootCommand } from "./options.ts";

/**
 * @param args of the command line, from the command's name on
 * @param blobs where firmware and demo disk are: a folder, with "/" at its end
 * @returns the exit code
 */
export async function main(
  args: readonly string[],
  blobs: URL,
  { stdin, stdout, stderr }: Pick<NodeJS.Process, "stdin" | "stdout" | "stderr"> = process,
): Promise<number> {
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
  const command = bootCommand(async (options) => {
    code = await boot(options, { in: stdin, out: stdout, err: stderr, blobs });
  });
  program.addCommand(command.copyInheritedSettings(program));
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
