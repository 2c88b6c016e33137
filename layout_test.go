package trellis_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path that imports of our own packages begin with.
const module = "github.com/trellis-project/trellis"

// anything allows every import.
const anything = "*"

// allowedImports says which of our packages each package may import, besides the nouns at the root.
// The reason stands with it, and is printed when the rule is broken. Tests (_test.go) are free.
var allowedImports = map[string]struct {
	may []string
	why string
}{
	".":            {nil, "the nouns import nothing, so that everybody can import them"},
	"sigv4":        {nil, "a leaf: it knows bytes and keys, not even the nouns"},
	"http1":        {nil, "a leaf: bytes in, heads and frames out, without I/O"},
	"authpolicy":   {nil, "policies decide about a request, wherever it comes from"},
	"store":        {nil, "the store keeps nouns and knows none of them"},
	"telemetry":    {nil, "what is kept to be asked about stands apart from what made it"},
	"accesslog":    {nil, "a record is a projection of one request"},
	"vpc":          {nil, "a VPC is made from nouns; who listens in it is the daemon's business"},
	"targetgroup":  {nil, "target groups dial by a function that they are handed"},
	"identity":     {[]string{"store", "authpolicy", "sigv4"}, "identity says who calls and what their own policies are; it is below the control plane"},
	"routing":      {[]string{"authpolicy"}, "a table is made from nouns alone, with policies compiled into it"},
	"controlplane": {[]string{"store", "identity", "authpolicy"}, "the control plane never imports traffic: they meet at a store revision, in daemon"},
	"dns":          {[]string{"routing"}, "names are answered from the table"},
	"dataplane":    {[]string{"routing", "authpolicy", "sigv4", "targetgroup", "accesslog", "http1"}, "the request path has no store, no control plane and no Linux"},
	"api":          {[]string{"controlplane", "identity", "sigv4", "telemetry", "authpolicy", "store", "api"}, "the API is the outermost layer of control and never imports traffic"},
	"daemon":       {[]string{anything}, "the daemon joins control and traffic"},
	"trellistest":  {[]string{"daemon", "api", "sigv4", "vpc", "lab"}, "a whole Trellis for tests is a daemon and clients of it"},
	"cmd/trellis":  {[]string{"daemon", "api", "sigv4", "vpc", "lab"}, "the CLI's verbs are clients of the wire API"},
	"lab":          {[]string{"api", "vpc"}, "scenarios are data that call the public API"},
	"bench":        {[]string{anything}, "benchmarks measure what they need"},
}

// goFile is one parsed source file of the module.
type goFile struct {
	path, pkg string // relative to the root; pkg is the key of allowedImports
	file      *ast.File
	lines     int
	generated bool
}

// goFiles parses all of the module's own files.
func goFiles(t *testing.T) (*token.FileSet, []goFile) {
	t.Helper()
	set := token.NewFileSet()
	var files []goFile
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(set, path, src, parser.ParseComments)
		if err != nil {
			return err
		}
		files = append(files, goFile{path, packageOf(path), f, bytes.Count(src, []byte("\n")), ast.IsGenerated(f)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return set, files
}

// packageOf returns the key of allowedImports that a file or import path falls under.
func packageOf(path string) string {
	dir := filepath.ToSlash(filepath.Dir(path))
	if rest, ok := strings.CutPrefix(dir, "cmd/"); ok {
		return "cmd/" + strings.Split(rest, "/")[0]
	}
	return strings.Split(dir, "/")[0]
}

// TestImports holds the directions of imports that docs/architecture.md draws.
func TestImports(t *testing.T) {
	set, files := goFiles(t)
	for _, f := range files {
		rule, known := allowedImports[f.pkg]
		if !known {
			t.Errorf("%s: package %s is not in the list of allowed imports: say in layout_test.go what it may import, and why", f.path, f.pkg)
			continue
		}
		if strings.HasSuffix(f.path, "_test.go") || slices.Contains(rule.may, anything) {
			continue
		}
		for _, imp := range f.file.Imports {
			path, _ := strconv.Unquote(imp.Path.Value)
			at := set.Position(imp.Pos())
			rel, ours := strings.CutPrefix(path, module+"/")
			if !ours {
				leaf := f.pkg == "." || f.pkg == "sigv4" || f.pkg == "http1"
				if leaf && (path == module && f.pkg != "." || strings.Contains(strings.Split(path, "/")[0], ".") && path != module) {
					t.Errorf("%s: %s may import the standard library only: %s", at, f.pkg, rule.why)
				}
				continue
			}
			target := packageOf(rel + "/x.go")
			if target != f.pkg && !slices.Contains(rule.may, target) {
				t.Errorf("%s: %s may not import %s: %s", at, f.pkg, target, rule.why)
			}
		}
	}
}

// TestPackageComments asks for exactly one package comment in each package.
func TestPackageComments(t *testing.T) {
	_, files := goFiles(t)
	comments := map[string][]string{}
	for _, f := range files {
		if strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		dir := filepath.Dir(f.path)
		comments[dir] = append(comments[dir], "")
		if f.file.Doc != nil {
			comments[dir] = append(comments[dir], f.path)
		}
	}
	for dir, paths := range comments {
		paths = slices.DeleteFunc(paths, func(p string) bool { return p == "" })
		if len(paths) != 1 {
			t.Errorf("package in %s has %d package comments, want one: %v", dir, len(paths), paths)
		}
	}
}

// TestDeclarationsAreDocumented asks for a doc comment on every top-level declaration.
func TestDeclarationsAreDocumented(t *testing.T) {
	set, files := goFiles(t)
	for _, f := range files {
		if f.generated || strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		for _, d := range f.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Doc == nil && d.Name.Name != "main" {
					t.Errorf("%s: %s has no doc comment", set.Position(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				if d.Tok == token.IMPORT || d.Doc != nil {
					continue
				}
				for _, spec := range d.Specs {
					if !documented(spec) {
						t.Errorf("%s: declaration has no doc comment", set.Position(spec.Pos()))
					}
				}
			}
		}
	}
}

// documented tells whether one spec of a group says what it is by itself.
func documented(spec ast.Spec) bool {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		return s.Doc != nil || s.Comment != nil
	case *ast.ValueSpec:
		return s.Doc != nil || s.Comment != nil
	}
	return true
}

// TestFileLength keeps files short enough to be read at once.
func TestFileLength(t *testing.T) {
	const most = 800
	_, files := goFiles(t)
	for _, f := range files {
		if !f.generated && f.lines > most {
			t.Errorf("%s has %d lines, more than %d: split it along a noun", f.path, f.lines, most)
		}
	}
}

// TestFolderNames refuses folders that say nothing about what is in them.
func TestFolderNames(t *testing.T) {
	_, files := goFiles(t)
	for _, f := range files {
		for _, part := range strings.Split(filepath.ToSlash(filepath.Dir(f.path)), "/") {
			if slices.Contains([]string{"pkg", "internal", "util", "utils", "common", "helpers", "misc", "mocks"}, part) {
				t.Errorf("%s: a folder %q says nothing: name it by its noun", f.path, part)
			}
		}
	}
}
