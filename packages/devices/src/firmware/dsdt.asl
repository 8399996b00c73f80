// The DSDT that dsdt.ts makes, as ASL: i440FX with PIIX3 and PIIX4 power management; data only, PCI interrupts hard-wired.
// Nothing is built from this file. `iasl -p dsdt dsdt.asl` (Debian: acpica-tools) gave the bytes that acpi.test.ts expects.
DefinitionBlock ("dsdt.aml", "DSDT", 1, "CASTAW", "CASTAWAY", 1)
{
    Name (_S5, Package () { 0, 0, 0, 0 })
    Scope (_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A03"))
            Name (_ADR, 0)
            Name (_UID, 0)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0xFF, 0, 0x100)
                IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, 0, 0x0000, 0x0CF7, 0, 0x0CF8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, 0, 0x0D00, 0xFFFF, 0, 0xF300)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite, 0, 0x000A0000, 0x000BFFFF, 0, 0x00020000)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite, 0, 0xE0000000, 0xFEBFFFFF, 0, 0x1EC00000)
            })
            // SeaBIOS programs PIRQA..D = 10,10,11,11; swizzle (slot + pin - 1) & 3
            Name (_PRT, Package ()
            {
                Package () { 0x0001FFFF, 0, 0, 9 },
                Package () { 0x0002FFFF, 0, 0, 10 }, Package () { 0x0002FFFF, 1, 0, 11 }, Package () { 0x0002FFFF, 2, 0, 11 }, Package () { 0x0002FFFF, 3, 0, 10 },
                Package () { 0x0003FFFF, 0, 0, 11 }, Package () { 0x0003FFFF, 1, 0, 11 }, Package () { 0x0003FFFF, 2, 0, 10 }, Package () { 0x0003FFFF, 3, 0, 10 },
                Package () { 0x0004FFFF, 0, 0, 11 }, Package () { 0x0004FFFF, 1, 0, 10 }, Package () { 0x0004FFFF, 2, 0, 10 }, Package () { 0x0004FFFF, 3, 0, 11 },
                Package () { 0x0005FFFF, 0, 0, 10 }, Package () { 0x0005FFFF, 1, 0, 10 }, Package () { 0x0005FFFF, 2, 0, 11 }, Package () { 0x0005FFFF, 3, 0, 11 },
                Package () { 0x0006FFFF, 0, 0, 10 }, Package () { 0x0006FFFF, 1, 0, 11 }, Package () { 0x0006FFFF, 2, 0, 11 }, Package () { 0x0006FFFF, 3, 0, 10 }
            })
            Device (ISA)
            {
                Name (_ADR, 0x00010000)
                Device (RTC)  { Name (_HID, EisaId ("PNP0B00")) Name (_CRS, ResourceTemplate () { IO (Decode16, 0x70, 0x70, 1, 2) IRQNoFlags () { 8 } }) }
                Device (KBD)  { Name (_HID, EisaId ("PNP0303")) Name (_CRS, ResourceTemplate () { IO (Decode16, 0x60, 0x60, 1, 1) IO (Decode16, 0x64, 0x64, 1, 1) IRQNoFlags () { 1 } }) }
                Device (MOU)  { Name (_HID, EisaId ("PNP0F13")) Name (_CRS, ResourceTemplate () { IRQNoFlags () { 12 } }) }
                Device (COM1) { Name (_HID, EisaId ("PNP0501")) Name (_UID, 1) Name (_CRS, ResourceTemplate () { IO (Decode16, 0x3F8, 0x3F8, 0, 8) IRQNoFlags () { 4 } }) }
            }
        }
    }
}
