/** `npm run build`: the VMM's image, into packages/vmm/dist. Without changes it is there already. */
import { CompileError } from "@castaway/vmm/host";
import { vmmImage } from "./vmm.ts";

try {
  const { size, symbols } = await vmmImage();
  const { stack } = symbols.find(({ name }) => name === "boot")!;
  console.log(
    `code ${size.code}, stubs ${size.stubs}, data ${size.data}, file ${size.file} bytes; stack ${stack} bytes`,
  );
} catch (error) {
  if (!(error instanceof CompileError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
