package egress

import "os"

// Attach applies rules to the processes of a control group and of the groups below it, for as long
// as the group exists. group is the group's folder. Attach needs CAP_SYS_ADMIN or CAP_BPF with
// CAP_NET_ADMIN.
func Attach(group *os.File, rules []Rule) error {
	for _, a := range attachmentsFor(rules) {
		if err := a.attachTo(int(group.Fd())); err != nil {
			return err
		}
	}
	return nil
}
