package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// preReceive is the only hook (githooks(5)). It has no logic: the server decides. It sends the
// server what is pushed on descriptor 3, prints what the server writes to 4, and ends with the exit
// code that the server writes to 5. When the server is gone it refuses the push.
const preReceive = `#!/bin/sh
{
	printf 'objects %s\n' "$GIT_QUARANTINE_PATH"
	n=0
	while [ "$n" -lt "${GIT_PUSH_OPTION_COUNT:-0}" ]; do
		eval "printf 'option %s\n' \"\$GIT_PUSH_OPTION_$n\""
		n=$((n + 1))
	done
	while read -r old new ref; do printf 'update %s %s %s\n' "$old" "$new" "$ref"; done
	echo end
} >&3 || exit 1
cat <&4
read -r code <&5 || code=1
exit "$code"
`

// Push is what a client wants to change in a repository.
type Push struct {
	Repository *Repository
	Updates    []Update
	Options    []string // of git push -o
	objects    string   // folder of the objects that arrived; "" when none did
}

// Update moves, creates or deletes a ref.
type Update struct {
	Ref      string // full: refs/heads/main
	Old, New string // object names; "" where the ref does not exist
}

// Branch returns the name of the branch, or "" when the ref is none.
func (u Update) Branch() string {
	branch, found := strings.CutPrefix(u.Ref, branchRefs)
	if !found {
		return ""
	}
	return branch
}

const (
	branchRefs = "refs/heads/"
	tagRefs    = "refs/tags/"
	anchorRefs = "refs/anchor" // hidden from clients
)

// HasOption reports whether the client sent an option.
func (p Push) HasOption(name string) bool {
	return slices.Contains(p.Options, name)
}

// Receive decides on a push. What it writes to out appears on the client as "remote:" lines, at
// once. An error refuses the push, and nothing has changed then.
type Receive func(ctx context.Context, push Push, out io.Writer) error

// hook is the server's side of preReceive.
type hook struct {
	request     *os.File // read here
	lines, code *os.File // written here
	theirs      []*os.File
	repository  *Repository
	receive     Receive
	decided     chan struct{} // closed when run has ended
}

func openHook(r *Repository, receive Receive) (*hook, error) {
	h := &hook{repository: r, receive: receive, decided: make(chan struct{})}
	var requestW, linesR, codeR *os.File
	var err error
	for _, pair := range []struct{ r, w **os.File }{{&h.request, &requestW}, {&linesR, &h.lines}, {&codeR, &h.code}} {
		if *pair.r, *pair.w, err = os.Pipe(); err != nil {
			h.theirs = []*os.File{requestW, linesR, codeR}
			h.closeTheirs()
			h.closeOurs()
			return nil, fmt.Errorf("open a pipe to the Git hook: %w", err)
		}
	}
	h.theirs = []*os.File{requestW, linesR, codeR} // descriptors 3, 4 and 5
	return h, nil
}

func (h *hook) closeTheirs() { closeFiles(h.theirs...) }
func (h *hook) closeOurs()   { closeFiles(h.request, h.lines, h.code) }

func closeFiles(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close() // pipes: nothing is lost
		}
	}
}

// run answers the hook, if git calls it.
func (h *hook) run(ctx context.Context) {
	defer close(h.decided)
	defer h.closeOurs()
	push, err := readPush(h.request)
	if errors.Is(err, io.EOF) {
		return // git ended without calling the hook
	}
	push.Repository = h.repository
	if err == nil {
		err = h.receive(ctx, push, h.lines)
	}
	code := 0
	if err != nil {
		code = 1
	}
	_ = h.lines.Close() // the hook waits for the end of the lines
	fmt.Fprintf(h.code, "%d\n", code)
}

// maxLines is how many refs and options of a push are read.
const maxLines = 2000

// readPush reads what the hook sends: EOF when it was not called.
func readPush(from io.Reader) (p Push, err error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 64<<10)
	for n := 0; lines.Scan(); n++ {
		if n == maxLines {
			return p, anchor.TooLarge("too_many_refs", "the push has more than %d refs and options", maxLines).
				Hintf("Push fewer branches and tags at a time.")
		}
		kind, rest, _ := strings.Cut(lines.Text(), " ")
		switch kind {
		case "objects":
			p.objects = rest
		case "option":
			p.Options = append(p.Options, rest)
		case "update":
			fields := strings.SplitN(rest, " ", 3)
			if len(fields) != 3 {
				return p, fmt.Errorf("the Git hook sent %q", lines.Text())
			}
			p.Updates = append(p.Updates, Update{Ref: fields[2], Old: objectName(fields[0]), New: objectName(fields[1])})
		case "end":
			return p, nil
		}
	}
	if err := lines.Err(); err != nil {
		return p, fmt.Errorf("read from the Git hook: %w", err)
	}
	return p, io.EOF
}

// objectName returns "" for the name of no object, which is zeros.
func objectName(name string) string {
	if strings.Trim(name, "0") == "" {
		return ""
	}
	return name
}
