package identity

import (
	"slices"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/sigv4"
)

// Directory tells whose signature a request bears. It is a snapshot that is never changed, except that it
// remembers the sessions it has opened; it is safe for concurrent use and takes no lock to answer.
type Directory struct {
	now        func() time.Time
	seals      sealingKeys // that session tokens are opened with
	nouns      nouns
	managed    map[string]string                        // texts of managed policies by ARN
	attachedTo map[string][]*trellis.OrganizationPolicy // by root, unit or account; sorted by id
	compiled   map[policyText]compiled
	controls   map[string]*control // by account, nil where no policies of an organization hold
	anywhere   *anywhere
	keys       map[string]*credential            // users' access keys by id
	callers    *recent[*credential]              // sessions of this snapshot by token
	opened     *recent[*openedSession]           // envelopes by token, handed from snapshot to snapshot
	orgPaths   map[string]string                 // by account, for aws:PrincipalOrgPaths
	signing    map[*trellis.AccessKey]*sigv4.Key // handed on, with the signing keys that it derived
}

// nouns are the nouns that a Directory is made of, to see whether a newer state has the same.
type nouns struct {
	accounts map[string]*trellis.Account
	orgs     map[string]*trellis.Organization
	units    map[string]*trellis.OrganizationalUnit // by bare id
	users    map[string]*trellis.User
	roles    map[string]*trellis.Role
	groups   map[string]*trellis.Group
	policies map[string]*trellis.ManagedPolicy
	control  map[string]*trellis.OrganizationPolicy
	keys     map[string]*trellis.AccessKey
	seals    map[string]*trellis.SealingKey
}

// credential is what Caller answers.
type credential struct {
	accessKeyID string
	caller      *authpolicy.Caller
	key         *sigv4.Key
	expires     time.Time // zero for long-lived keys
	err         error     // *trellis.Error: the credential is refused
}

// openedSession is an envelope that was opened, with its signing key.
type openedSession struct {
	session *session
	key     *sigv4.Key
}

// sessionsRemembered bounds the sessions that a Directory remembers.
const sessionsRemembered = 4096

// NewDirectory makes the Directory of a state. It returns prev itself when nothing of identity has changed,
// and otherwise takes over what prev has compiled, derived and opened. prev may be nil. sessionKey is
// store.Key(SessionKeyPurpose).
func NewDirectory(st *trellis.State, prev *Directory, sessionKey []byte, now func() time.Time) *Directory {
	if now == nil {
		now = time.Now
	}
	if prev != nil && prev.nouns.same(st) && prev.anywhere.same(st) {
		return prev
	}
	d := &Directory{
		now: now, nouns: nounsOf(st),
		managed: map[string]string{}, attachedTo: map[string][]*trellis.OrganizationPolicy{}, compiled: map[policyText]compiled{},
		controls: map[string]*control{}, keys: map[string]*credential{},
		callers: newRecent[*credential](sessionsRemembered), orgPaths: map[string]string{},
		signing: map[*trellis.AccessKey]*sigv4.Key{},
	}
	d.seals = newSealingKeys(sessionKey, d.nouns.seals)
	if prev != nil {
		d.opened = prev.opened
	} else {
		d.opened = newRecent[*openedSession](sessionsRemembered)
		prev = &Directory{}
	}
	d.anywhere = newAnywhere(st, prev.anywhere)
	for _, p := range d.nouns.policies {
		d.managed[p.ARN()] = p.Text
	}
	for _, p := range d.nouns.control {
		for _, target := range p.Targets {
			d.attachedTo[target] = append(d.attachedTo[target], p)
		}
	}
	for _, list := range d.attachedTo {
		slices.SortFunc(list, func(a, b *trellis.OrganizationPolicy) int { return strings.Compare(a.ID, b.ID) })
	}
	d.compilePolicies(prev)
	for id := range d.nouns.accounts {
		d.orgPaths[id] = d.orgPath(id)
	}
	for id, k := range d.nouns.keys {
		key := prev.signing[k]
		if key == nil {
			key = sigv4.NewKey(k.Secret.Reveal())
		}
		d.signing[k] = key
		d.keys[id] = d.userCredential(k, key)
	}
	return d
}

// nounsOf collects the nouns of identity.
func nounsOf(st *trellis.State) nouns {
	n := nouns{
		accounts: byKey[*trellis.Account](st), orgs: byKey[*trellis.Organization](st),
		units: map[string]*trellis.OrganizationalUnit{}, users: byKey[*trellis.User](st),
		roles: byKey[*trellis.Role](st), groups: byKey[*trellis.Group](st), policies: byKey[*trellis.ManagedPolicy](st),
		control: byKey[*trellis.OrganizationPolicy](st), keys: byKey[*trellis.AccessKey](st),
		seals: byKey[*trellis.SealingKey](st),
	}
	for u := range trellis.All[*trellis.OrganizationalUnit](st) {
		n.units[u.ID] = u
	}
	return n
}

// byKey copies the nouns of a kind, which the State's owner goes on changing.
func byKey[T trellis.Noun](st *trellis.State) map[string]T {
	m := map[string]T{}
	for n := range trellis.All[T](st) {
		m[n.Key()] = n
	}
	return m
}

// same tells whether a state has the very same nouns of identity. Nouns are never changed, so it is enough
// to compare pointers.
func (n *nouns) same(st *trellis.State) bool {
	if st.Len(trellis.KindOrganizationalUnit) != len(n.units) {
		return false
	}
	for u := range trellis.All[*trellis.OrganizationalUnit](st) {
		if n.units[u.ID] != u {
			return false
		}
	}
	return sameNouns(n.accounts, st) && sameNouns(n.orgs, st) && sameNouns(n.users, st) &&
		sameNouns(n.roles, st) && sameNouns(n.groups, st) && sameNouns(n.policies, st) && sameNouns(n.control, st) &&
		sameNouns(n.keys, st) && sameNouns(n.seals, st)
}

// sameNouns is same for one kind.
func sameNouns[T interface {
	trellis.Noun
	comparable
}](have map[string]T, st *trellis.State) bool {
	var zero T
	if st.Len(zero.Kind()) != len(have) {
		return false
	}
	for n := range trellis.All[T](st) {
		if have[n.Key()] != n {
			return false
		}
	}
	return true
}

// userCredential is the credential of a user's access key.
func (d *Directory) userCredential(k *trellis.AccessKey, key *sigv4.Key) *credential {
	u, ok := d.nouns.users[k.Account+"/"+k.UserName]
	if !ok || k.Status != KeyActive || !d.accountActive(k.Account) {
		return &credential{err: errUnrecognized()}
	}
	c := &authpolicy.Caller{Principal: d.inOrg(trellis.Principal{
		Type: trellis.PrincipalUser, Account: u.Account, ARN: u.ARN(), PolicyARN: u.ARN(), UserID: u.ID, Tags: u.Tags,
	})}
	d.boundUser(c, u)
	return &credential{accessKeyID: k.ID, caller: c, key: key}
}

// inOrg completes a principal with its organization.
func (d *Directory) inOrg(p trellis.Principal) trellis.Principal {
	if a, ok := d.nouns.accounts[p.Account]; ok && a.OrgID != "" {
		p.OrgID, p.OrgPath = a.OrgID, d.orgPaths[p.Account]
	}
	return p
}

// Caller says who holds an access key, with the key to verify the signature. Errors are of type
// *trellis.Error. The strings are not kept.
func (d *Directory) Caller(accessKeyID, sessionToken string) (*authpolicy.Caller, *sigv4.Key, error) {
	if sessionToken == "" {
		c, ok := d.keys[accessKeyID]
		if !ok {
			return nil, nil, errUnrecognized()
		}
		return c.caller, c.key, c.err
	}
	c, ok := d.callers.get(sessionToken)
	if !ok {
		c = d.sessionCredential(sessionToken)
		if c == nil {
			return nil, nil, errUnrecognized()
		}
		d.callers.add(strings.Clone(sessionToken), c)
	}
	if c.accessKeyID != accessKeyID {
		return nil, nil, errUnrecognized()
	}
	if !d.now().Before(c.expires) {
		return nil, nil, trellis.NewError(403, "ExpiredTokenException", "The security token included in the request is expired")
	}
	return c.caller, c.key, c.err
}

// accountActive tells whether an account exists and is not suspended.
func (d *Directory) accountActive(id string) bool {
	a, ok := d.nouns.accounts[id]
	return ok && a.Status == AccountActive
}

// OrgOf returns the organization that an account is in.
func (d *Directory) OrgOf(account string) (*trellis.Organization, bool) {
	a, ok := d.nouns.accounts[account]
	if !ok || a.OrgID == "" {
		return nil, false
	}
	o, ok := d.nouns.orgs[a.OrgID]
	return o, ok
}

// InOU tells whether an account is below an organizational unit (ou-…) or root (r-…), at any depth.
func (d *Directory) InOU(account, ouID string) bool {
	a, ok := d.nouns.accounts[account]
	if !ok || ouID == "" {
		return false
	}
	for parent, steps := a.ParentID, 0; parent != "" && steps < maxUnitDepth+2; steps++ {
		if parent == ouID {
			return true
		}
		u, ok := d.nouns.units[parent]
		if !ok {
			return false
		}
		parent = u.ParentID
	}
	return false
}

// orgPath is an account's place, o-…/r-…/ou-…/, as aws:PrincipalOrgPaths has it; empty outside of an
// organization.
func (d *Directory) orgPath(account string) string {
	a := d.nouns.accounts[account]
	if a.OrgID == "" {
		return ""
	}
	path := ""
	for parent, steps := a.ParentID, 0; parent != "" && steps < maxUnitDepth+2; steps++ {
		path = parent + "/" + path
		u, ok := d.nouns.units[parent]
		if !ok {
			break
		}
		parent = u.ParentID
	}
	return a.OrgID + "/" + path
}

// assumedRoleARN is how errors and logs name a session: arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION.
func assumedRoleARN(r *trellis.Role, sessionName string) string {
	return trellis.ARN{Partition: "aws", Service: "sts", Account: r.Account, Resource: "assumed-role/" + r.Name + "/" + sessionName}.String()
}

// errUnrecognized refuses a credential without saying why.
func errUnrecognized() *trellis.Error {
	return trellis.NewError(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
}
