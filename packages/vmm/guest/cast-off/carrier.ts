/**
 * Finds a register that the guest's next instruction overwrites without having read it: until then it is nobody's, and can
 * carry the value for CR3 over to the guest's own page. The instruction must not access memory: it cannot fault.
 */

const NONE: i32 = -1;
const RAX: i32 = 0;
const RBX: i32 = 3;
const RSP: i32 = 4;
/** Bytes of code that are looked at. */
export const CARRIER_BYTES: u32 = 8;

/** The register's number, or -1. @param at the instruction's first bytes @param bits 64, 32 or 16 */
export function carrierOf(at: usize, bits: u32): i32 {
  if (bits === 16) return NONE;
  let rex: u32 = 0;
  if (bits === 64 && (load<u8>(at) & 0xf0) === 0x40) rex = load<u8>(at++);
  const register = overwritten(at, rex, bits);
  return register === RSP ? NONE : register;
}

function overwritten(at: usize, rex: u32, bits: u32): i32 {
  const opcode: u32 = load<u8>(at),
    next: u32 = load<u8>(at + 1);
  if ((opcode & 0xf8) === 0xb8) return <i32>((opcode & 7) | ((rex & 1) << 3)); // MOV register, constant
  if (opcode === 0x0f) return ofTwoBytes(next, load<u8>(at + 2), rex);
  const isRegister = next >= 0xc0,
    reg = regOf(next, rex),
    rm = rmOf(next, rex);
  if (opcode === 0x8d && !isRegister) return ofLea(next, load<u8>(at + 2), rex);
  if (!isRegister) return NONE;
  switch (opcode) {
    case 0xc7: // MOV register, constant
      return (next & 0x38) === 0 ? rm : NONE;
    case 0x8b: // MOV
      return reg !== rm ? reg : NONE;
    case 0x89:
      return reg !== rm ? rm : NONE;
    case 0x63: // MOVSXD
      return bits === 64 && (rex & 8) !== 0 && reg !== rm ? reg : NONE;
    case 0x29: // SUB and XOR of a register with itself
    case 0x2b:
    case 0x31:
    case 0x33:
      return reg === rm ? reg : NONE;
    default:
      return NONE;
  }
}
function ofTwoBytes(opcode: u32, modRm: u32, rex: u32): i32 {
  switch (opcode) {
    case 0x31: // RDTSC
      return RAX;
    case 0xa2: // CPUID
      return RBX;
    case 0x20: // MOV from a control register: 0, 2, 3, 4
      return (0b11101 >> regOf(modRm, rex)) % 2 !== 0 ? rmOf(modRm, rex) : NONE;
    case 0xb6: // MOVZX and MOVSX of bytes: AH to BH are parts of registers 0 to 3
    case 0xbe: {
      const from = rmOf(modRm, rex),
        whole = rex === 0 ? from & 3 : from;
      return modRm >= 0xc0 && regOf(modRm, rex) !== whole && regOf(modRm, rex) !== from ? regOf(modRm, rex) : NONE;
    }
    case 0xb7:
    case 0xbf:
      return modRm >= 0xc0 && regOf(modRm, rex) !== rmOf(modRm, rex) ? regOf(modRm, rex) : NONE;
    default:
      return NONE;
  }
}
/** LEA, if its address does not depend on the register. */
function ofLea(modRm: u32, sib: u32, rex: u32): i32 {
  const to = regOf(modRm, rex),
    hasSib = (modRm & 7) === 4;
  if (!hasSib) return rmOf(modRm, rex) !== to ? to : NONE;
  const base = <i32>((sib & 7) | ((rex & 1) << 3)),
    index = <i32>(((sib >> 3) & 7) | ((rex & 2) << 2));
  return base !== to && index !== to ? to : NONE;
}
const regOf = (modRm: u32, rex: u32): i32 => <i32>(((modRm >> 3) & 7) | ((rex & 4) << 1));
const rmOf = (modRm: u32, rex: u32): i32 => <i32>((modRm & 7) | ((rex & 1) << 3));
