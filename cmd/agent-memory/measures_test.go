package main

import (
	"bytes"
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
	maxMethods          = 25 // on one receiver
	maxInterfaceMethods = 6
	maxLines            = 400 // of a file
)

// wideInterfaces are those that may have more methods: a file system is one thing.
func wideInterfaces() map[string]bool { return map[string]bool{"platform/vfs.FS": true} }

func TestTheHouseKeepsItsMeasures(t *testing.T) {
	methods, files := map[string]int{}, map[string]int{}
	err := fs.WalkDir(os.DirFS("../.."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (strings.HasPrefix(d.Name(), ".") && name != "." || d.Name() == "node_modules") {
			return skipped(err)
		}
		if !d.IsDir() {
			files[path.Ext(name)]++
			measure(t, name, methods)
		}
		return nil
	})
	if err != nil || files[".go"] < 300 || len(methods) < 200 {
		t.Fatalf("%d files in Go, %d receivers, %v", files[".go"], len(methods), err)
	}
	for _, extension := range []string{".cpp", ".h", ".inl", ".py", ".sh"} {
		if files[extension] == 0 {
			t.Errorf("no file ends with %s", extension)
		}
	}
	for receiver, n := range methods {
		if n > maxMethods {
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

// measure checks the lines of one file, and what is in it if it is one of Go.
func measure(t *testing.T, name string, methods map[string]int) {
	switch path.Ext(name) {
	case ".go":
		measureGo(t, name, methods)
	case ".cpp", ".h", ".inl", ".py", ".sh":
		measureLines(t, name, sourceOf(t, name))
	}
}

func sourceOf(t *testing.T, name string) []byte {
	source, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func measureLines(t *testing.T, name string, source []byte) {
	if lines := bytes.Count(source, []byte("\n")); lines > maxLines {
		t.Errorf("%s has %d lines; cut it by subject", name, lines)
	}
}

// measureGo counts the methods of one file for each receiver, and checks its interfaces and its lines.
func measureGo(t *testing.T, name string, methods map[string]int) {
	source := sourceOf(t, name)
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if ast.IsGenerated(file) {
		return
	}
	measureLines(t, name, source)
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
		wanted, is := spec.Type.(*ast.InterfaceType)
		if full := path.Dir(name) + "." + spec.Name.Name; is && methodsOf(wanted) > maxInterfaceMethods && !wideInterfaces()[full] {
			t.Errorf("%s has %d methods; make two interfaces of it", full, methodsOf(wanted))
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
