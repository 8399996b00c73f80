#!/bin/bash
# Builds a Debian 12 system disk for the system tests: DIRECTORY/debian.img, a sparse raw image of 2 GiB.
#
#     test/system/guests/build-debian.sh DIRECTORY          as root, on Debian; takes some minutes and 3 GB
#
# It is an ordinary installation: generic kernel, initramfs, udev, systemd, GRUB in the MBR gap, one ext4 partition. What
# is not ordinary serves the tests: root is logged in on ttyS0, timers that would fetch from a network are off, and
# /root/numbers holds the first 100,000,000 bytes of `seq`.
# Packages come from where this system's apt takes Debian 12 from. Nothing is mounted: mke2fs copies the tree.
set -euo pipefail

size_mib=2048
start_sector=2048
epoch=1700000000 # a file system made after the machine's clock starts would be found damaged by fsck
root_uuid=ca57a4a1-0000-4000-8000-000000000012

directory=$(mkdir -p "$1" && cd "$1" && pwd)
tree=$directory/tree
image=$directory/debian.img.part # becomes debian.img when all of it is there
[ "$(id -u)" = 0 ] || { echo "build-debian: must run as root: the tree's files belong to root" >&2; exit 1; }

tools() {
  local wanted=(mmdebstrap grub-common grub-pc-bin e2fsprogs debian-archive-keyring python3)
  if dpkg-query -W "${wanted[@]}" >/dev/null 2>&1; then return; fi
  apt-get update -q >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "${wanted[@]}" >&2
}

# Debian 12 of this system's apt configuration, as a sources.list.
sources() {
  apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' |
    sed -n 's/^\(.* bookworm.*\) Debian$/\1/p' | sort -u
}

# A shell command on the tree "$1". It runs before the packages are configured, so the kernel's initramfs is made once,
# and has a look at fstab for the fsck that it needs.
initramfs_settings='
  mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
  printf "MODULES=list\nCOMPRESS=zstd\nRESUME=none\nFSTYPE=ext4\n" > "$1/etc/initramfs-tools/conf.d/disk"
  printf "ahci\nsd_mod\next4\n" > "$1/usr/share/initramfs-tools/modules.d/disk"
  echo "UUID='$root_uuid' / ext4 defaults,noatime 0 1" > "$1/etc/fstab"'

install_packages() {
  rm -rf "$tree"
  mmdebstrap --variant=minbase --mode=root --format=directory \
    --include=systemd-sysv,udev,dbus,linux-image-amd64,initramfs-tools,zstd,e2fsprogs,logsave,kmod,login,procps,stress-ng \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg --setup-hook="$initramfs_settings" \
    bookworm "$tree" - < <(sources)
}

configure() {
  cd "$tree"
  echo guest > etc/hostname
  echo ca57a4a1000040008000000000000012 > etc/machine-id
  mkdir -p etc/systemd/system/serial-getty@ttyS0.service.d
  cat > etc/systemd/system/serial-getty@ttyS0.service.d/autologin.conf <<-'X'
	[Service]
	ExecStart=
	ExecStart=-/sbin/agetty --autologin root --keep-baud 115200 %I vt100
	X
  for unit in apt-daily apt-daily-upgrade dpkg-db-backup e2scrub_all fstrim; do
    ln -sf /dev/null "etc/systemd/system/$unit.timer"
  done
  (set +o pipefail; seq 20000000 | head -c 100000000 > root/numbers)
  dpkg-query --admindir=var/lib/dpkg -W > "$directory/packages.txt"

  mkdir -p boot/grub
  cp -r /usr/lib/grub/i386-pc boot/grub/
  rm -f boot/grub/i386-pc/*.image
  cat > boot/grub/grub.cfg <<-X
	set timeout=1
	serial --unit=0 --speed=115200
	terminal_output console serial
	menuentry "Debian GNU/Linux" {
	  linux /$(echo boot/vmlinuz-*) root=UUID=$root_uuid ro console=tty0 console=ttyS0,115200
	  initrd /$(echo boot/initrd.img-*)
	}
	X
  cd "$directory"
}

make_partition() {
  rm -f "$image"
  truncate -s "${size_mib}M" "$image"
  E2FSPROGS_FAKE_TIME=$epoch mke2fs -q -t ext4 -m 0 -L debian -U "$root_uuid" -O ^metadata_csum_seed \
    -E "offset=$((start_sector * 512)),lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0" \
    -d "$tree" "$image" "$(((size_mib * 2048 - start_sector) / 2))k"
}

make_bootable() {
  printf 'set root=(hd0,msdos1)\nset prefix=($root)/boot/grub\n' > "$directory/early.cfg"
  grub-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub' -c "$directory/early.cfg" -o "$directory/core.img" \
    biosdisk part_msdos ext2 normal
  python3 - "$image" "$directory/core.img" $start_sector $((size_mib * 2048)) <<-'X'
	import struct, sys
	image, core, start, end = sys.argv[1], bytearray(open(sys.argv[2], 'rb').read()), int(sys.argv[3]), int(sys.argv[4])
	core += bytes(-len(core) % 512)
	sectors = len(core) // 512
	assert 1 + sectors <= start, 'core.img does not fit before the partition'
	# The block list at the end of core.img's first sector: the others follow at sector 2, and go to segment 820.
	struct.pack_into('<QHH', core, 0x1f4, 2, sectors - 1, 0x820)
	boot = open('/usr/lib/grub/i386-pc/boot.img', 'rb').read()[:440] # it loads sector 1
	partition = struct.pack('<B3sB3sII', 0x80, b'\xfe\xff\xff', 0x83, b'\xfe\xff\xff', start, end - start)
	with open(image, 'r+b') as disk:
	    disk.write(boot + struct.pack('<I', 0xCA57A4A1) + bytes(2) + partition + bytes(48) + b'\x55\xaa' + core)
	X
}

tools
install_packages
configure
make_partition
make_bootable
rm -rf "$tree" "$directory/early.cfg" "$directory/core.img"
mv "$image" "${image%.part}"
ls -ls "${image%.part}"
