package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
)

// The house's measures. Generated files have none.
const (
	mostMethods = 25  // on one receiver
	mostAsked   = 6   // methods of an interface
	mostLines   = 400 // of a file
)

// wideInterfaces are those that may have more methods: a file system is one thing.
func wideInterfaces() map[string]bool { return map[string]bool{"platform/vfs.FS": true} }

func TestTheHouseKeepsItsMeasures(t *testing.T) {
	methods, files := map[string]int{}, 0
	err := fs.WalkDir(os.DirFS("../.."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && name != "." {
			return skipped(err)
		}
		if path.Ext(name) == ".go" {
			files++
			measure(t, name, methods)
		}
		return nil
	})
	if err != nil || files < 300 || len(methods) < 200 {
		t.Fatalf("%d files, %d receivers, %v", files, len(methods), err)
	}
	for receiver, n := range methods {
		if n > mostMethods {
			t.Errorf("%s has %d methods; part it by subject", receiver, n)
		}
	}
}

func skipped(err error) error {
	if err != nil {
		return err
	}
	return fs.SkipDir
}

// measure checks one file and counts its methods.
func measure(t *testing.T, name string, methods map[string]int) {
	source, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	positions := token.NewFileSet()
	file, err := parser.ParseFile(positions, name, source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if ast.IsGenerated(file) {
		return
	}
	if lines := strings.Count(string(source), "\n"); lines > mostLines {
		t.Errorf("%s has %d lines; cut it by subject", name, lines)
	}
	for _, declaration := range file.Decls {
		if f, is := declaration.(*ast.FuncDecl); is && f.Recv != nil && !strings.HasSuffix(name, "_test.go") {
			methods[path.Dir(name)+"."+receiverOf(f)]++
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, is := n.(*ast.TypeSpec)
		if !is {
			return true
		}
		asks, is := spec.Type.(*ast.InterfaceType)
		if full := path.Dir(name) + "." + spec.Name.Name; is && methodsOf(asks) > mostAsked && !wideInterfaces()[full] {
			t.Errorf("%s asks for %d methods", full, methodsOf(asks))
		}
		return true
	})
}

// methodsOf counts the methods that an interface names itself; embedded ones are counted where they stand.
func methodsOf(i *ast.InterfaceType) (n int) {
	for _, field := range i.Methods.List {
		n += len(field.Names)
	}
	return n
}

// receiverOf is the name of a method's type.
func receiverOf(f *ast.FuncDecl) string {
	kind := f.Recv.List[0].Type
	if pointer, is := kind.(*ast.StarExpr); is {
		kind = pointer.X
	}
	switch generic := kind.(type) {
	case *ast.IndexExpr:
		kind = generic.X
	case *ast.IndexListExpr:
		kind = generic.X
	}
	return kind.(*ast.Ident).Name
}
