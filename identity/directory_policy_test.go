package identity

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
)

// update rewrites the answers in testdata with what is answered now.
var update = flag.Bool("update", false, "rewrite testdata")

// estate is the nouns of a script of testdata, all of them of the account member.
type estate struct {
	t   *testing.T
	st  *trellis.State
	dir *Directory
	org *trellis.Organization
}

// The accounts of the scripts.
const (
	manager = "111122223333"
	member  = "444455556666"
)

// TestBounds plays the scripts of testdata/bounds: nouns, and what bounds a caller by them. A line is
//
//	unit ID PARENT, account ID PARENT        a place in the organization o-1 with the root r-1
//	enable TYPE, disable TYPE                a type of policies
//	scp NAME TARGETS TEXT, rcp …             a policy of the organization; "-" is no target
//	managed NAME TEXT, gone NAME             a managed policy, or its end
//	group NAME TEXT                          a group with an inline policy "own"
//	user NAME OPTIONS TEXT, role …           OPTIONS: groups=, attached=, boundary=, path=, account=, or "-"; TEXT "-": no policy
//	show NAME                                the policies that bound a user or role, "= …" below it
//	ask NAME ACTION                          whether the user or role may, "= …" below it
//	owned ACCOUNT                            the resource control policies of an account, "= …" below it
func TestBounds(t *testing.T) {
	files, err := filepath.Glob("testdata/bounds/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			script, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			e := &estate{t: t, st: trellis.NewState(), org: &trellis.Organization{ID: "o-1", ManagementAccountID: manager, RootID: "r-1", FeatureSet: "ALL"}}
			e.st.Put(e.org)
			for _, id := range []string{manager, member} {
				e.st.Put(&trellis.Account{ID: id, Status: AccountActive, OrgID: "o-1", ParentID: "r-1"})
			}
			var out []string
			for line := range strings.Lines(string(script)) {
				line = strings.TrimSuffix(line, "\n")
				if strings.HasPrefix(line, "= ") {
					continue
				}
				out = append(out, line)
				if line == "" || strings.HasPrefix(line, "#") {
					continue
				}
				if answer := e.play(strings.SplitN(line, " ", 4)); answer != "" {
					out = append(out, "= "+answer)
				}
			}
			got := strings.Join(out, "\n") + "\n"
			if *update {
				if err := os.WriteFile(f, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(script) {
				t.Errorf("got\n%s", got)
			}
		})
	}
}

// play plays a line and returns its answer.
func (e *estate) play(words []string) string {
	switch kind := words[0]; kind {
	case "show", "ask", "owned":
		e.dir = NewDirectory(e.st, e.dir, make([]byte, 32), nil)
		switch kind {
		case "owned":
			return levels(e.dir.ResourceControl(words[1]))
		case "show":
			return shown(e.caller(words[1]))
		}
		if err := e.caller(words[1]).Authorize(words[2], "*", nil); err != nil {
			return err.Error()
		}
		return "allowed"
	case "unit":
		e.st.Put(&trellis.OrganizationalUnit{ID: words[1], OrgID: "o-1", ParentID: words[2], Name: words[1]})
	case "account":
		e.st.Put(&trellis.Account{ID: words[1], Status: AccountActive, OrgID: "o-1", ParentID: words[2]})
	case "enable", "disable":
		o := *e.org
		o.PolicyTypes = slices.DeleteFunc(slices.Clone(o.PolicyTypes), func(t string) bool { return t == words[1] })
		if kind == "enable" {
			o.PolicyTypes = append(o.PolicyTypes, words[1])
		}
		e.org = &o
		e.st.Put(e.org)
	case "scp", "rcp":
		p := &trellis.OrganizationPolicy{ID: "p-" + words[1], OrgID: "o-1", Type: ServiceControlPolicy, Name: words[1], Text: words[3]}
		if kind == "rcp" {
			p.Type = ResourceControlPolicy
		}
		if words[2] != "-" {
			p.Targets = strings.Split(words[2], ",")
		}
		e.st.Put(p)
	case "managed":
		p := &trellis.ManagedPolicy{Name: words[1], Path: "/", Text: strings.Join(words[2:], " ")}
		p.Account = member
		e.st.Put(p)
	case "gone":
		e.st.Delete(trellis.KindManagedPolicy, member+"/"+words[1])
	case "group":
		g := &trellis.Group{Name: words[1], Path: "/", Inline: []trellis.PolicyDoc{{Name: "own", Text: strings.Join(words[2:], " ")}}}
		g.Account = member
		e.st.Put(g)
	case "user", "role":
		e.bearer(kind, words[1], words[2], words[3])
	default:
		e.t.Fatalf("unknown line %v", words)
	}
	return ""
}

// bearer puts a user or role.
func (e *estate) bearer(kind, name, options, text string) {
	u := &trellis.User{Name: name, Path: "/"}
	u.Account, u.ID = member, "AIDA"+name
	if text != "-" {
		u.Inline = []trellis.PolicyDoc{{Name: "own", Text: text}}
	}
	for option := range strings.SplitSeq(options, " ") {
		switch k, v, _ := strings.Cut(option, "="); k {
		case "groups":
			u.Groups = strings.Split(v, ",")
		case "attached":
			u.Attached = []string{trellis.IAMARN(member, "policy/"+v)}
		case "boundary":
			u.Boundary = trellis.IAMARN(member, "policy/"+v)
		case "path":
			u.Path = v
		case "account":
			u.Account = v
		}
	}
	if kind == "user" {
		e.st.Put(u)
		return
	}
	e.st.Put(&trellis.Role{Meta: u.Meta, Name: name, Path: u.Path, Inline: u.Inline, Attached: u.Attached, Boundary: u.Boundary})
}

// caller is a user or role with what bounds it.
func (e *estate) caller(name string) *authpolicy.Caller {
	c := &authpolicy.Caller{}
	for u := range trellis.All[*trellis.User](e.st) {
		if u.Name == name {
			c.Principal = trellis.Principal{Type: trellis.PrincipalUser, Account: u.Account, ARN: u.ARN()}
			e.dir.boundUser(c, u)
		}
	}
	for r := range trellis.All[*trellis.Role](e.st) {
		if r.Name == name {
			c.Principal = trellis.Principal{Type: trellis.PrincipalAssumedRole, Account: r.Account, ARN: r.ARN()}
			e.dir.boundRole(c, r)
		}
	}
	if c.Principal.ARN == "" {
		e.t.Fatalf("nobody is called %s", name)
	}
	return c
}

// shown is what bounds a caller, in words.
func shown(c *authpolicy.Caller) string {
	s := "identity " + named(c.Identity)
	if c.Boundary != nil {
		s += " boundary " + named(authpolicy.Policies{*c.Boundary})
	}
	if c.Organization != nil {
		s += " organization " + levels(c.Organization)
	}
	if c.Broken != nil {
		s += " broken: " + strings.ReplaceAll(c.Broken.Error(), "\n", "; ")
	}
	return s
}

// levels are the names of policies by level.
func levels(all []authpolicy.Policies) string {
	names := make([]string, len(all))
	for i, l := range all {
		names[i] = named(l)
	}
	return strings.TrimSpace(fmt.Sprintf("%d levels ", len(all)) + strings.Join(names, " "))
}

// named are the names of policies.
func named(ps authpolicy.Policies) string {
	names := make([]string, len(ps))
	for i, p := range ps {
		names[i] = p.Name
	}
	return "[" + strings.Join(names, ", ") + "]"
}
