package stack

import (
	"go/ast"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"

	"github.com/anchor-deploy/anchor/internal/awserror"
)

const (
	module = "github.com/anchor-deploy/anchor/"
	sdks   = "github.com/aws/aws-sdk-go-v2/"
)

// source is the code of the handlers as far as it can call AWS.
type source struct {
	functions map[string]function // by full name, "(*path.Type).Method"
	missing   []string            // packages that are not written yet
}

type function struct {
	decl *ast.FuncDecl
	info *types.Info
}

// load reads packages by their paths below the module.
func load(t *testing.T, paths []string) *source {
	t.Helper()
	s := &source{functions: map[string]function{}}
	var there []string
	for _, path := range paths {
		if _, err := os.Stat(filepath.Join("..", "..", filepath.FromSlash(path))); err != nil {
			s.missing = append(s.missing, path)
		} else {
			there = append(there, module+path)
		}
	}
	all, err := packages.Load(&packages.Config{Mode: packages.LoadSyntax}, there...)
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

// used gives the IAM actions of what code runs, without what it calls through ports.
func (s *source) used(code []runs) []string {
	seen, calls := map[string]bool{}, map[string]bool{}
	for _, c := range code {
		for name, f := range s.functions {
			if strings.Contains(name, module+c.path+".") && c.begins(f.decl.Name.Name) {
				s.walk(name, seen, calls)
			}
		}
	}
	var all []string
	for call := range calls {
		service, operation, _ := strings.Cut(call, " ")
		for _, action := range awserror.Actions(service, operation) {
			if !slices.Contains(all, action) {
				all = append(all, action)
			}
		}
	}
	slices.Sort(all)
	return all
}

// lacking gives those packages of code that are not there.
func (s *source) lacking(code []runs) []string {
	var all []string
	for _, c := range code {
		if slices.Contains(s.missing, c.path) {
			all = append(all, c.path)
		}
	}
	return all
}

// begins reports whether the handler goes in at a function of the name.
func (r runs) begins(name string) bool {
	if len(r.from) == 0 {
		return ast.IsExported(name) && name != "Schema" || name == "main" // Schema is for tests and this package
	}
	return slices.Contains(r.from, name)
}

// walk goes from a function to all that it names, and notes the calls of AWS.
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

// parts of a transaction: IAM knows their operations, and not the transaction's.
var parts = map[string]string{"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}

// note takes the use of an operation's input for a call of the operation.
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
