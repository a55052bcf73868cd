package egress

import "os"

// Attach puts rules in force for the processes of a control group, whose folder is given, and of those below it, for
// as long as the group exists. It needs CAP_SYS_ADMIN or CAP_BPF with CAP_NET_ADMIN.
func Attach(group *os.File, rules []Rule) error {
	for _, a := range attachments(rules) {
		if err := a.attachTo(int(group.Fd())); err != nil {
			return err
		}
	}
	return nil
}
