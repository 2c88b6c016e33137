package trellis_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path that imports of our own packages begin with.
const module = "github.com/trellis-project/trellis"

// anything allows every import.
const anything = "*"

// allowedImports says which of our packages each package may import, besides the nouns at the root. No list is
// longer than what is imported. The reason stands with it, and is printed when the rule is broken. Tests
// (_test.go) are free.
var allowedImports = map[string]struct {
	may []string
	why string
}{
	".":                        {nil, "the nouns import nothing, so that everybody can import them"},
	"sigv4":                    {nil, "a leaf: it knows bytes and keys, not even the nouns"},
	"reactor":                  {nil, "a leaf: event loops know sockets, not what goes over them"},
	"http1":                    {nil, "a leaf: bytes in, heads and frames out, without I/O"},
	"http2":                    {[]string{"http1"}, "a leaf like http1, whose heads and rules for them it takes over, so that each rule stands in one place"},
	"streams":                  {[]string{"http1", "http2", "reactor"}, "HTTP/2 on event loops, for either side: it knows sockets and the codec, not what is served"},
	"authpolicy":               {nil, "policies decide about a request, wherever it comes from"},
	"certificate":              {nil, "certificates are read and issued from bytes and a time: control keeps them, traffic is handed their key pairs"},
	"store":                    {nil, "the store keeps nouns and knows none of them"},
	"store/storetest":          {[]string{"store"}, "tests run the real store"},
	"telemetry":                {nil, "what is kept to be asked about stands apart from what made it"},
	"accesslog":                {nil, "a record is a projection of one request"},
	"vpc":                      {nil, "a VPC is made from nouns; who listens in it is the daemon's business"},
	"targetgroup":              {[]string{"reactor", "http1", "http2", "streams"}, "target groups get sockets from a function that they are handed, and pool connections of event loops"},
	"identity":                 {[]string{"store", "authpolicy", "sigv4", "certificate", "companion/quota"}, "identity says who calls, by key or by certificate, and what their own policies are; it is below the control plane"},
	"routing":                  {[]string{"authpolicy"}, "a table is made from nouns alone, with policies compiled into it"},
	"controlplane":             {[]string{"store", "authpolicy", "certificate", "identity", "companion/function", "companion/quota"}, "the control plane never imports traffic: they meet at a store revision, in daemon; what IAM means by an instance profile, and by handing on a role, is identity's; what the policy of a function says is the function's"},
	"companion":                {[]string{"store", "authpolicy"}, "how an operation of any companion reads and changes its nouns; what the nouns mean stands in the folders below"},
	"companion/alarm":          {[]string{"companion", "store", "authpolicy"}, aCompanion},
	"companion/deliverystream": {[]string{"companion", "companion/quota", "store", "authpolicy"}, aCompanion},
	"companion/key":            {[]string{"companion", "companion/quota", "store", "authpolicy"}, aCompanion},
	"companion/hostedzone":     {[]string{"companion", "companion/quota", "store", "authpolicy"}, aCompanion},
	"companion/function":       {[]string{"companion", "companion/quota", "store", "authpolicy", "identity"}, aCompanion + "; what handing on a role means is identity's"},
	"companion/bucket":         {[]string{"companion", "companion/quota", "store", "authpolicy"}, aCompanion},
	"companion/loadbalancer":   {[]string{"companion", "companion/quota", "store", "authpolicy"}, aCompanion},
	"companion/parameter":      {[]string{"companion", "companion/key", "store", "authpolicy"}, aCompanion + "; who may use the key of a SecureString is the key's to say"},
	"companion/quota":          {[]string{"store", "authpolicy", "companion"}, "what accounts may have stands in one table, which all ask that make nouns"},
	"companion/tag":            {[]string{"companion", "store", "authpolicy"}, aCompanion},
	"dns":                      {[]string{"routing"}, "names are answered from the table"},
	"dataplane":                {[]string{"routing", "authpolicy", "sigv4", "targetgroup", "accesslog", "http1", "http2", "reactor", "streams"}, "the request path has no store, no control plane and no VPC"},
	"api":                      {[]string{"api/wire", "authpolicy", "sigv4"}, "the endpoint knows the wire and who signed; what an operation means is its service's business"},
	"api/wire":                 {nil, "the codecs know the wire alone"},
	"api/generate":             {nil, "the generator reads AWS's models and writes files"},
	"api/client":               {[]string{"api/wire", "sigv4", everyService}, "a client knows what AWS's models say, and nothing of the server"},
	"api/compatibility":        {[]string{"api", "api/every", "companion", "companion/bucket", "companion/function", "controlplane", "identity", "telemetry"}, "docs/compatibility.md is printed from the tables of operations"},
	"api/every":                {[]string{"api", "authpolicy", "companion", "companion/alarm", "companion/bucket", "companion/deliverystream", "companion/function", "companion/hostedzone", "companion/key", "companion/loadbalancer", "companion/parameter", "companion/quota", "companion/tag", "controlplane", "identity", "telemetry", everyService}, "the one list of all services, made of the parts that mean them"},
	"api/accessanalyzer":       {[]string{"api", "api/wire", "authpolicy"}, aService},
	"api/acm":                  {[]string{"api", "api/wire", "controlplane"}, aService},
	"api/cloudtrail":           {[]string{"api", "api/wire", "telemetry"}, aService},
	"api/cloudwatch":           {[]string{"api", "api/wire", "companion/alarm", "telemetry"}, aService},
	"api/ec2":                  {[]string{"api", "api/wire", "controlplane"}, aService},
	"api/eks":                  {[]string{"api", "api/wire", "identity"}, aService},
	"api/eksauth":              {[]string{"api", "api/wire", "identity"}, aService},
	"api/elbv2":                {[]string{"api", "api/wire", "companion/loadbalancer"}, aService},
	"api/firehose":             {[]string{"api", "api/wire", "companion/deliverystream"}, aService},
	"api/iam":                  {[]string{"api", "api/wire", "authpolicy", "identity"}, aService},
	"api/kms":                  {[]string{"api", "api/wire", "companion/key"}, aService},
	"api/lambda":               {[]string{"api", "api/wire", "companion/function"}, aService},
	"api/logs":                 {[]string{"api", "api/wire", "authpolicy", "telemetry"}, aService},
	"api/organizations":        {[]string{"api", "api/wire", "identity"}, aService},
	"api/ram":                  {[]string{"api", "api/wire", "controlplane"}, aService},
	"api/rolesanywhere":        {[]string{"api", "api/wire", "identity"}, aService},
	"api/servicequotas":        {[]string{"api", "api/wire", "companion/quota"}, aService},
	"api/route53":              {[]string{"api", "api/wire", "companion/hostedzone"}, aService},
	"api/ssm":                  {[]string{"api", "api/wire", "companion/parameter"}, aService},
	"api/s3":                   {[]string{"api", "api/wire", "companion/bucket"}, aService},
	"api/sts":                  {[]string{"api", "api/wire", "identity"}, aService},
	"api/tagging":              {[]string{"api", "api/wire", "companion/tag"}, aService},
	"api/vpclattice":           {[]string{"api", "api/wire", "controlplane"}, aService},
	"daemon":                   {[]string{anything}, "the daemon joins control and traffic"},
	"trellistest":              {[]string{"daemon", "api/client", "vpc", "lab"}, "a whole Trellis for tests is a daemon and clients of it"},
	"trellistest/terraform":    {nil, "what Terraform calls is data, and whoever calls it is handed in"},
	"cmd/trellis":              {[]string{"daemon", "api/client", "sigv4", "vpc", "lab", "estate"}, "the CLI's verbs are clients of the wire API"},
	"lab":                      {[]string{"api/client", "vpc"}, "scenarios are data that call the public API"},
	"estate":                   {[]string{"api/client"}, "files of nouns are applied and exported by the public API alone"},
	"bench":                    {[]string{anything}, "benchmarks measure what they need"},
}

// everyService stands for the packages of all AWS services below api, aService is why one imports what it does, and
// aCompanion why a companion does.
const (
	everyService = "api/*"
	aCompanion   = "a companion says what the operations of one service mean, and knows the nouns of others from the store alone, and what accounts may have from the one table"
	aService     = "a service translates between the wire and the package that means its operations"
)

// allows tells whether a rule's list has a package, and by which of its entries.
func allows(may []string, target string) (entry string, ok bool) {
	for _, m := range may {
		if m == anything || m == target || m == everyService && allowedImports[target].why == aService {
			return m, true
		}
	}
	return "", false
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

// packageOf returns the key of allowedImports that a file or import path falls under: its folder's, or that of
// the nearest folder above that has one.
func packageOf(path string) string {
	dir := filepath.ToSlash(filepath.Dir(path))
	for at := dir; at != "."; at = filepath.ToSlash(filepath.Dir(at)) {
		if _, known := allowedImports[at]; known {
			return at
		}
	}
	return dir
}

// TestImports holds the directions of imports that docs/architecture.md draws.
func TestImports(t *testing.T) {
	set, files := goFiles(t)
	used := map[string]bool{} // package and entry of its list
	for _, f := range files {
		rule, known := allowedImports[f.pkg]
		if !known {
			t.Errorf("%s: package %s is not in the list of allowed imports: say in layout_test.go what it may import, and why", f.path, f.pkg)
			continue
		}
		if strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		for _, imp := range f.file.Imports {
			path, _ := strconv.Unquote(imp.Path.Value)
			at := set.Position(imp.Pos())
			rel, ours := strings.CutPrefix(path, module+"/")
			if !ours {
				leaf := f.pkg == "." || f.pkg == "sigv4" || f.pkg == "http1" || f.pkg == "http2"
				if leaf && (path == module && f.pkg != "." || strings.Contains(strings.Split(path, "/")[0], ".") && path != module) {
					t.Errorf("%s: %s may import the standard library only: %s", at, f.pkg, rule.why)
				}
				continue
			}
			target := packageOf(rel + "/x.go")
			entry, ok := allows(rule.may, target)
			used[f.pkg+" "+entry] = true
			if target != f.pkg && !ok {
				t.Errorf("%s: %s may not import %s: %s", at, f.pkg, target, rule.why)
			}
		}
	}
	for pkg, rule := range allowedImports {
		for _, m := range rule.may {
			if !used[pkg+" "+m] {
				t.Errorf("layout_test.go: %s may import %s and does not: take it off the list", pkg, m)
			}
		}
	}
}

// TestInterfaces keeps interfaces few: they stand only where two real things do.
func TestInterfaces(t *testing.T) {
	const most = 15
	set, files := goFiles(t)
	var found []string
	for _, f := range files {
		if f.generated || strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		ast.Inspect(f.file, func(n ast.Node) bool {
			if s, ok := n.(*ast.TypeSpec); ok {
				if _, ok := s.Type.(*ast.InterfaceType); ok {
					found = append(found, set.Position(s.Pos()).String()+" "+s.Name.Name)
				}
			}
			return true
		})
	}
	if len(found) > most {
		t.Errorf("%d interfaces, more than %d:\n%s", len(found), most, strings.Join(found, "\n"))
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

// link is a link of Markdown to a file, without the part after #.
var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// TestLinks follows the links of the documentation to the files that they name: walks through the code go where
// it is.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir("docs", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			pages = append(pages, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), string(m[1]))); err != nil {
				t.Errorf("%s: the link %s leads nowhere", page, m[1])
			}
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
