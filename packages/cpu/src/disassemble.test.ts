import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Decoder } from "./core/decode.ts";
import { OpcodeMap } from "./core/opcodes.ts";
import { disassemble } from "./disassemble.ts";
import { definitions } from "./isa/index.ts";

const decoder = new Decoder(new OpcodeMap(definitions));

/** Text of the instruction that these bytes are, in code of that width; they must be one whole instruction. */
function text(bits: 16 | 32 | 64, hex: string, address = 0n): string {
  const bytes = Uint8Array.from(hex.match(/../g)!, (byte) => Number.parseInt(byte, 16));
  const insn = decoder.decode(bytes, 0, bytes.length, { bits, real: false })!;
  assert.is(insn.length, bytes.length, hex);
  return disassemble(insn, address);
}

type Row = [bits: 16 | 32 | 64, hex: string, text: string];
const shows = (rows: Row[]) => () => {
  for (const [bits, hex, expected] of rows) assert.is(text(bits, hex), expected);
};

// The expected texts are objdump's (GNU Binutils 2.40, -M intel). test/decoder compares many more.
const test = suite("disassemble");

// biome-ignore format: a table
test("registers have the names of their sizes; AH to BH go with REX", shows([
  [64, "88e0", "mov al,ah"], [64, "4088e0", "mov al,spl"], [64, "4588c1", "mov r9b,r8b"],
  [64, "66b8ffff", "mov ax,0xffff"], [64, "4901c0", "add r8,rax"], [16, "6601c0", "add eax,eax"],
]));

// biome-ignore format: a table
test("memory: base, index, scale, displacement", shows([
  [64, "8b448000", "mov eax,DWORD PTR [rax+rax*4+0x0]"], [64, "8b8480000000ff", "mov eax,DWORD PTR [rax+rax*4-0x1000000]"],
  [64, "8b0485f0ffffff", "mov eax,DWORD PTR [rax*4-0x10]"], [64, "8b0424", "mov eax,DWORD PTR [rsp]"],
  [64, "678b4040", "mov eax,DWORD PTR [eax+0x40]"], [64, "488d05f2ffffff", "lea rax,[rip+0xfffffffffffffff2]"],
  [64, "8b042500000080", "mov eax,DWORD PTR ds:0xffffffff80000000"], [32, "8b0500000080", "mov eax,DWORD PTR ds:0x80000000"],
  [16, "8b40f0", "mov ax,WORD PTR [bx+si-0x10]"], [16, "8b1634f0", "mov dx,WORD PTR ds:0xf034"],
  [64, "48a10102030405060708", "movabs rax,ds:0x807060504030201"], [32, "a301020304", "mov ds:0x4030201,eax"],
]));

// biome-ignore format: a table
test("segments show where they matter", shows([
  [64, "64488b042528000000", "mov rax,QWORD PTR fs:0x28"], [64, "2e8b00", "mov eax,DWORD PTR [rax]"],
  [32, "2e8b00", "mov eax,DWORD PTR cs:[eax]"], [32, "3e8b4500", "mov eax,DWORD PTR ds:[ebp+0x0]"],
  [32, "368b4500", "mov eax,DWORD PTR [ebp+0x0]"], [64, "643e8b00", "mov eax,DWORD PTR fs:[rax]"],
]));

// biome-ignore format: a table
test("immediates are cut to the operand size", shows([
  [64, "4883c0ff", "add rax,0xffffffffffffffff"], [64, "83c0ff", "add eax,0xffffffff"], [64, "6683c0ff", "add ax,0xffff"],
  [64, "48b8ffffffff80000000", "movabs rax,0x80ffffffff"], [64, "6a80", "push 0xffffffffffffff80"], [64, "666a80", "pushw 0xff80"],
  [64, "c8080001", "enter 0x8,0x1"], [64, "d1e0", "shl eax,1"], [32, "d40a", "aam 0xa"],
]));

// biome-ignore format: a table
test("sizes that no operand shows are in the name", shows([
  [64, "9c", "pushf"], [64, "669c", "pushfw"], [16, "669c", "pushfd"], [16, "6660", "pushad"], [64, "98", "cwde"], [64, "4898", "cdqe"],
  [64, "e300", "jrcxz 0x2"], [32, "67e300", "jcxz 0x3"], [64, "66480f6ec0", "movq xmm0,rax"], [16, "66c3", "retd"],
]));

test("branches show their target, cut to the operand size", () => {
  assert.is(text(64, "7480", 0x1000n), "je 0xf82");
  assert.is(text(64, "e800000080"), "call 0xffffffff80000005");
  assert.is(text(32, "66eb80"), "jmp 0xff83");
});

// biome-ignore format: a table
test("string instructions show their pointers and what repeats them", shows([
  [64, "f3a5", "rep movs DWORD PTR es:[rdi],DWORD PTR ds:[rsi]"], [64, "64a4", "movs BYTE PTR es:[rdi],BYTE PTR fs:[rsi]"],
  [64, "f2a6", "repnz cmps BYTE PTR ds:[rsi],BYTE PTR es:[rdi]"], [32, "67f348", "dec eax"], [16, "66ab", "stos DWORD PTR es:[di],eax"],
  [64, "6e", "outs dx,BYTE PTR ds:[rsi]"], [64, "67d7", "xlat BYTE PTR ds:[ebx]"],
]));

// biome-ignore format: a table
test("x87 and SSE", shows([
  [64, "d8c1", "fadd st,st(1)"], [64, "dcc1", "fadd st(1),st"], [64, "dee9", "fsubp st(1),st"], [64, "db29", "fld TBYTE PTR [rcx]"],
  [64, "66d921", "fldenvw [rcx]"], [64, "dfe0", "fnstsw ax"], [64, "0fc2c103", "cmpunordps xmm0,xmm1"], [64, "0fc2c108", "cmpps xmm0,xmm1,0x8"],
  [64, "660fc4c001", "pinsrw xmm0,eax,0x1"], [64, "0f6000", "punpcklbw mm0,DWORD PTR [rax]"],
]));

// biome-ignore format: a table
test("prefixes without effect are not printed, LOCK is", shows([
  [64, "f00108", "lock add DWORD PTR [rax],ecx"], [64, "f3c3", "ret"], [64, "4048ffc0", "inc rax"],
]));

// biome-ignore format: a table
test("REX counts only right before the opcode [SDM 2A 2.2.1]", shows([
  [64, "48660101", "add WORD PTR [rcx],ax"], [64, "4f4201c0", "add eax,eax"], [64, "494190", "xchg r8d,eax"], [64, "f34190", "xchg r8d,eax"],
]));

test.run();
