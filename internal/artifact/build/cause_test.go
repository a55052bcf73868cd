package build

import (
	"strings"
	"testing"
)

// TestFindCause reads what the programs of a build print when they fail.
func TestFindCause(t *testing.T) {
	for name, c := range map[string]struct{ output, want string }{
		"TypeScript": {"Failed to compile.\n\n./app/page.tsx:1:7\nType error: Type 'string' is not assignable to type 'number'.\n\n> 1 | const x: number = 'a'\nNext.js build worker exited with code: 1 and signal: null\nnode:internal/errors:983\nError: Command failed: npm run build",
			"./app/page.tsx:1:7: Type error: Type 'string' is not assignable to type 'number'."},
		"a module": {"Failed to compile.\n\n./app/page.jsx\nModule not found: Can't resolve 'nope'\n\nhttps://nextjs.org/docs/messages/module-not-found", "./app/page.jsx: Module not found: Can't resolve 'nope'"},
		"a page":   {`Error occurred prerendering page "/about". Read more: https://nextjs.org/docs/messages/prerender-error` + "\nError: boom\n    at x", `Error occurred prerendering page "/about"`},
		"ESLint":   {"Failed to compile.\n\n./app/page.tsx\n3:5  Error: 'x' is assigned a value but never used.", "Error: 'x' is assigned a value but never used."},
		"npm's lockfile": {"npm error code EUSAGE\nnpm error\nnpm error `npm ci` can only install packages when your package.json and package-lock.json are in sync.\nnpm error",
			"`npm ci` can only install packages when your package.json and package-lock.json are in sync."},
		"npm's registry": {"npm error code E404\nnpm error 404 Not Found - GET https://registry.npmjs.org/no-such - Not found\nnpm error 404", "Not Found - GET https://registry.npmjs.org/no-such - Not found"},
		"npm's peers":    {"npm error code ERESOLVE\nnpm error ERESOLVE could not resolve\nnpm error\nnpm error While resolving: react-dom@18.0.0\nnpm error Found: react@19.0.0", "While resolving: react-dom@18.0.0"},
		"pnpm":           {" ERR_PNPM_OUTDATED_LOCKFILE  Cannot install with \"frozen-lockfile\" because pnpm-lock.yaml is not up to date with package.json", `ERR_PNPM_OUTDATED_LOCKFILE  Cannot install with "frozen-lockfile" because pnpm-lock.yaml is not up to date with package.json`},
		"Yarn 4":         {"➤ YN0000: · Yarn 4.9.1\n➤ YN0028: │ The lockfile would have been modified by this install, which is explicitly forbidden.", "YN0028: │ The lockfile would have been modified by this install, which is explicitly forbidden."},
		"Yarn 1":         {"yarn install v1.22.22\nerror Your lockfile needs to be updated, but yarn was run with `--frozen-lockfile`.", "Your lockfile needs to be updated, but yarn was run with `--frozen-lockfile`."},
		"Bun":            {"error: lockfile had changes, but lockfile is frozen", "error: lockfile had changes, but lockfile is frozen"},
		"Node.js":        {"node:internal/modules/cjs/loader:1228\n  throw err;\n\nError: Cannot find module './x'\nRequire stack:", "Error: Cannot find module './x'"},
		"nothing":        {"one\ntwo", ""},
		"long":           {"Error: " + strings.Repeat("x", 1000), "Error: " + strings.Repeat("x", 293) + "…"},
	} {
		if got := FindCause(strings.Split(c.output, "\n")); got.Text != c.want || got.DiskFull || got.OutOfMemory {
			t.Errorf("%s: %+v, want %q", name, got, c.want)
		}
	}
	for _, line := range []string{"npm error code ENOSPC", "Error: ENOSPC: no space left on device, write", "cp: error writing 'x': No space left on device"} {
		if !FindCause([]string{"first", line, "last"}).DiskFull {
			t.Errorf("%q does not mean a full disk", line)
		}
	}
	for _, line := range []string{
		"FATAL ERROR: Ineffective mark-compacts near heap limit Allocation failed - JavaScript heap out of memory",
		"terminate called after throwing an instance of 'std::bad_alloc'", "memory allocation of 65536 bytes failed", "spawn ENOMEM",
	} {
		if !FindCause([]string{line}).OutOfMemory {
			t.Errorf("%q does not mean too little memory", line)
		}
	}
}
