package install

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"

	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

const (
	module = "github.com/anchor-deploy/anchor/"
	sdks   = "github.com/aws/aws-sdk-go-v2/"
)

// source is the handlers' code that can call AWS.
type source struct {
	functions map[string]function // by full name, "(*path.Type).Method"
}

type function struct {
	decl *ast.FuncDecl
	info *types.Info
}

// load reads packages by their paths below the module.
func load(t *testing.T, paths []string) *source {
	t.Helper()
	s := &source{functions: map[string]function{}}
	var full []string
	for _, path := range paths {
		full = append(full, module+path)
	}
	all, err := packages.Load(&packages.Config{Mode: packages.LoadSyntax}, full...)
	if err != nil {
		t.Fatal(err)
	}
	if packages.PrintErrors(all) > 0 {
		t.Fatal("the code does not compile")
	}
	for _, p := range all {
		for _, file := range p.Syntax {
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok {
					s.functions[p.TypesInfo.Defs[f.Name].(*types.Func).FullName()] = function{f, p.TypesInfo}
				}
			}
		}
	}
	return s
}

// used returns the IAM actions of what code runs, except for calls through ports.
func (s *source) used(t *testing.T, code []runs) []string {
	t.Helper()
	seen, calls := map[string]bool{}, map[string]bool{}
	for _, c := range code {
		began := map[string]bool{}
		for name, f := range s.functions {
			if strings.Contains(name, module+c.path+".") && c.begins(f.decl.Name.Name) {
				began[f.decl.Name.Name] = true
				s.walk(name, seen, calls)
			}
		}
		for _, name := range c.from {
			if !began[name] {
				t.Errorf("%s has no function %s to begin at", c.path, name)
			}
		}
	}
	var all []string
	for call := range calls {
		service, operation, _ := strings.Cut(call, " ")
		for _, action := range awserr.Actions(service, operation) {
			if !slices.Contains(all, action) {
				all = append(all, action)
			}
		}
	}
	slices.Sort(all)
	return all
}

// begins reports whether the handler enters at a function of that name.
func (r runs) begins(name string) bool {
	if len(r.from) == 0 {
		return ast.IsExported(name) && name != "Schema" || name == "main" // Schema is for tests and this package
	}
	return slices.Contains(r.from, name)
}

// walk visits everything that a function names, and records the calls to AWS.
func (s *source) walk(name string, seen, calls map[string]bool) {
	f, ours := s.functions[name]
	if !ours || seen[name] {
		return
	}
	seen[name] = true
	ast.Inspect(f.decl, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		switch used := f.info.Uses[id].(type) {
		case *types.Func:
			s.walk(used.Origin().FullName(), seen, calls)
		case *types.TypeName:
			note(used, calls)
		}
		return true
	})
}

// The parts of a transaction: IAM knows their operations, but not the transaction's.
var parts = map[string]string{"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}

// note counts a use of an operation's input as a call of the operation.
func note(used *types.TypeName, calls map[string]bool) {
	if used.Pkg() == nil || !strings.HasPrefix(used.Pkg().Path(), sdks) {
		return
	}
	path := strings.TrimPrefix(used.Pkg().Path(), sdks)
	if path == "service/dynamodb/types" && parts[used.Name()] != "" {
		calls["dynamodb "+parts[used.Name()]] = true
	}
	if operation, ok := strings.CutSuffix(used.Name(), "Input"); ok && !strings.HasSuffix(path, "/types") {
		calls[path[strings.LastIndex(path, "/")+1:]+" "+operation] = true
	}
}
