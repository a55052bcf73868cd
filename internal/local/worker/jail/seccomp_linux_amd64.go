package jail

import "golang.org/x/sys/unix"

// refusedHere are calls that only this kind of processor has.
var refusedHere = []uint32{unix.SYS_IOPERM, unix.SYS_IOPL, unix.SYS_MODIFY_LDT, unix.SYS_USTAT, unix.SYS_USELIB, unix.SYS__SYSCTL, unix.SYS_SYSFS}
