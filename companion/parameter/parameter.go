// Package parameter is what Systems Manager's operations on parameters mean (Systems Manager API reference): named values
// with versions, labels and tags, and the public ones that tools read. Every value is sealed at rest; a SecureString besides
// needs kms:Decrypt on its key by who reads it.
package parameter

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/key"
	"github.com/trellis-project/trellis/store"
)

// Limits of parameters (AWS general reference, Systems Manager endpoints and quotas).
const (
	maxStandard = 4 << 10 // bytes of a value
	maxAdvanced = 8 << 10
	maxVersions = 100
	maxLabels   = 10 // of a version
	maxLevels   = 15
	maxName     = 1011
)

// The tiers of parameters.
const (
	standardTier = "Standard"
	advancedTier = "Advanced"
)

// defaultKey encrypts SecureStrings that name no key.
const defaultKey = "alias/aws/ssm"

// Parameters is what the operations mean.
type Parameters struct {
	*companion.Records
	keys *key.Keys // of SecureStrings
}

// New returns Parameters. It starts nothing.
func New(o companion.Options, keys *key.Keys) *Parameters {
	return &Parameters{companion.NewRecords(o), keys}
}

// fault is an error of Systems Manager.
func fault(code, format string, args ...any) *trellis.Error {
	return trellis.NewError(400, code, format, args...)
}

// nameForm is what names are made of.
var nameForm = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)

// checkName refuses names that new parameters can't have.
func checkName(name string) error {
	lower := strings.ToLower(strings.TrimPrefix(name, "/"))
	switch {
	case strings.HasPrefix(lower, "aws"), strings.HasPrefix(lower, "ssm"):
		return fault("ValidationException", `Parameter name: can't be prefixed with "aws" or "ssm" (case-insensitive).`)
	case !nameForm.MatchString(name), strings.Contains(name, "//"), strings.HasSuffix(name, "/"), len(name) > maxName:
		return fault("ValidationException", "Parameter name must be a fully qualified name of at most %d letters, digits and the symbols . - _, with / between its levels.", maxName)
	case strings.Contains(name, "/") && !strings.HasPrefix(name, "/"):
		return fault("ValidationException", "Parameter name must be a fully qualified name: it has levels, so it must begin with /.")
	case strings.Count(name, "/") > maxLevels:
		return fault("HierarchyLevelLimitExceededException", "A parameter has at most %d levels.", maxLevels)
	}
	return nil
}

// Name is how a request names a parameter: a name or ARN, and maybe a version or label.
type Name struct {
	Base     string // without a selector
	Selector string // with the colon before it
	foreign  bool   // of another account or Region
	byARN    bool   // which says nothing of a slash before a name without levels
}

// ParseName reads a name, NAME:VERSION, NAME:LABEL, or an ARN in place of the name.
func (p *Parameters) ParseName(c *authpolicy.Caller, s string) Name {
	var n Name
	if strings.HasPrefix(s, "arn:") {
		a, err := trellis.ParseARN(s)
		resource, is := strings.CutPrefix(a.Resource, "parameter/")
		n.foreign = err != nil || !is || a.Service != "ssm" || a.Region != p.Region || a.Account != c.Principal.Account && a.Account != ""
		s, n.byARN = resource, true
		if strings.Contains(s, "/") {
			s = "/" + s
		}
	}
	if i := strings.IndexByte(s, ':'); i >= 0 {
		s, n.Selector = s[:i], s[i:]
	}
	n.Base = s
	return n
}

// arn is the ARN of a parameter as the caller sees it.
func (p *Parameters) arn(c *authpolicy.Caller, name string) string {
	account := c.Principal.Account
	if strings.HasPrefix(name, publicRoot) {
		account = ""
	}
	return trellis.ParameterARN(p.Region, account, name)
}

// missing is for a parameter that does not exist.
func missing(name string) *trellis.Error {
	return fault("ParameterNotFound", "Parameter %s not found.", name)
}

// latestOf reads a parameter of the caller's account.
func latestOf(tx *store.Tx, c *authpolicy.Caller, n Name) (*trellis.Parameter, error) {
	if n.foreign {
		return nil, missing(n.Base)
	}
	latest, err := companion.Get[*trellis.Parameter](tx, c.Principal.Account+"/"+n.Base, missing(n.Base))
	if _, none := errors.AsType[*trellis.Error](err); none && n.byARN && !strings.HasPrefix(n.Base, "/") {
		return companion.Get[*trellis.Parameter](tx, c.Principal.Account+"//"+n.Base, missing(n.Base))
	}
	return latest, err
}

// find reads the version of a parameter that a name selects, without one the latest.
func (p *Parameters) find(tx *store.Tx, c *authpolicy.Caller, n Name) (*trellis.ParameterVersion, error) {
	if n.foreign {
		return nil, missing(n.Base)
	}
	if strings.HasPrefix(n.Base, publicRoot) {
		for _, v := range public(p.Region) {
			if v.ID == n.Base && (n.Selector == "" || n.Selector == ":1") {
				return v, nil
			}
		}
		return nil, missing(n.Base)
	}
	latest, err := latestOf(tx, c, n)
	if err != nil {
		return nil, err
	}
	none := fault("ParameterVersionNotFound", "Systems Manager could not find version %s of %s. Verify the version and try again.", strings.TrimPrefix(n.Selector, ":"), n.Base)
	version := latest.Version
	if n.Selector != "" {
		if version, err = strconv.ParseInt(n.Selector[1:], 10, 64); err != nil {
			all, err := versions(tx, latest)
			for _, v := range all {
				if slices.Contains(v.Labels, n.Selector[1:]) {
					return v, err
				}
			}
			if err != nil {
				return nil, err
			}
			return nil, none
		}
	}
	return companion.Get[*trellis.ParameterVersion](tx, trellis.VersionKey(latest.Account, latest.ID, version), none)
}

// versions are the versions of a parameter, the oldest first.
func versions(tx *store.Tx, n *trellis.Parameter) ([]*trellis.ParameterVersion, error) {
	return store.List[*trellis.ParameterVersion](tx, n.Account+"/"+n.ID+":")
}

// useKey asks whether the caller may have Systems Manager use a key for a SecureString (Systems Manager user guide, KMS
// encryption for SecureString parameters), and returns the key's ARN. AWS's own key serves all of the account.
func (p *Parameters) useKey(tx *store.Tx, c *authpolicy.Caller, action, id string, n *trellis.Parameter) (arn string, err error) {
	if id == defaultKey {
		return defaultKey, nil
	}
	arn, err = p.keys.ForService(tx, c, "ssm", key.Use{Action: action, KeyID: id, Context: map[string]string{"PARAMETER_ARN": n.ARN(p.Region)}})
	if e, ok := errors.AsType[*trellis.Error](err); ok && e.Code != "AccessDeniedException" {
		err = fault("InvalidKeyId", "%s", e.Message)
	}
	return arn, err
}

// Version is a version of a parameter as it is read.
type Version struct {
	*trellis.ParameterVersion
	ARN   string
	Value string
}

// show reads the value of a version. That of a SecureString that is not decrypted is a text that says nothing of it.
func (p *Parameters) show(tx *store.Tx, c *authpolicy.Caller, v *trellis.ParameterVersion, decrypt bool) (Version, error) {
	out := Version{v, p.arn(c, v.ID), v.Value.Reveal()}
	switch {
	case v.Type != trellis.ParameterSecureString:
	case decrypt:
		_, err := p.useKey(tx, c, "kms:Decrypt", cmp.Or(v.KeyARN, v.KeyID), &v.Parameter)
		return out, err
	default:
		sum := sha256.Sum256([]byte(v.Key() + v.UpdatedAt.String()))
		out.Value = base64.StdEncoding.EncodeToString(sum[:])
	}
	return out, nil
}

// Get returns the version of a parameter that a name selects.
func (p *Parameters) Get(ctx context.Context, c *authpolicy.Caller, name string, decrypt bool) (v Version, err error) {
	n := p.ParseName(c, name)
	err = p.Read(ctx, c, "ssm:GetParameter", p.arn(c, n.Base), nil, func(tx *store.Tx) error {
		found, err := p.find(tx, c, n)
		if err != nil {
			return err
		}
		v, err = p.show(tx, c, found, decrypt)
		return err
	})
	return v, err
}

// GetAll returns several, and the names of those that there are not.
func (p *Parameters) GetAll(ctx context.Context, c *authpolicy.Caller, names []string, decrypt bool) (all []Version, invalid []string, err error) {
	for _, name := range names {
		if err := c.Authorize("ssm:GetParameters", p.arn(c, p.ParseName(c, name).Base), nil); err != nil {
			return nil, nil, err
		}
	}
	err = p.Store.Read(ctx, func(tx *store.Tx) error {
		all, invalid = nil, nil
		for _, name := range names {
			found, err := p.find(tx, c, p.ParseName(c, name))
			if e, is := errors.AsType[*trellis.Error](err); is && strings.HasSuffix(e.Code, "NotFound") {
				invalid = append(invalid, name)
				continue
			}
			if err != nil {
				return err
			}
			v, err := p.show(tx, c, found, decrypt)
			if err != nil {
				return err
			}
			all = append(all, v)
		}
		return nil
	})
	return all, invalid, err
}

// ByPath returns the latest versions of the parameters below a path that keep lets pass, all levels or the first.
func (p *Parameters) ByPath(ctx context.Context, c *authpolicy.Caller, path string, recursive, decrypt bool, keep func(*trellis.Parameter) bool) (all []Version, err error) {
	if !strings.HasPrefix(path, "/") {
		return nil, fault("ValidationException", "The parameter path must begin with a slash /. It can have letters, digits and . - _.")
	}
	path = strings.TrimSuffix(path, "/") + "/"
	err = p.Read(ctx, c, "ssm:GetParametersByPath", p.arn(c, path), nil, func(tx *store.Tx) error {
		all = nil
		var found []*trellis.ParameterVersion
		if strings.HasPrefix(path, publicRoot) {
			found = public(p.Region)
		} else {
			latest, err := store.List[*trellis.Parameter](tx, c.Principal.Account+"/"+path)
			if err != nil {
				return err
			}
			for _, n := range latest {
				v, err := store.Get[*trellis.ParameterVersion](tx, trellis.VersionKey(n.Account, n.ID, n.Version))
				if err != nil {
					return err
				}
				found = append(found, v)
			}
		}
		for _, n := range found {
			below, is := strings.CutPrefix(n.ID, path)
			if !is || !recursive && strings.Contains(below, "/") || !keep(&n.Parameter) {
				continue
			}
			v, err := p.show(tx, c, n, decrypt)
			if err != nil {
				return err
			}
			all = append(all, v)
		}
		return nil
	})
	return all, err
}

// Describe returns the parameters of the caller's account, without values.
func (p *Parameters) Describe(ctx context.Context, c *authpolicy.Caller) (all []*trellis.Parameter, err error) {
	err = p.Read(ctx, c, "ssm:DescribeParameters", "*", nil, func(tx *store.Tx) error {
		all, err = store.List[*trellis.Parameter](tx, c.Principal.Account+"/")
		return err
	})
	return all, err
}

// History returns the versions of a parameter, the oldest first.
func (p *Parameters) History(ctx context.Context, c *authpolicy.Caller, name string, decrypt bool) (all []Version, err error) {
	n := p.ParseName(c, name)
	err = p.Read(ctx, c, "ssm:GetParameterHistory", p.arn(c, n.Base), nil, func(tx *store.Tx) error {
		all = nil
		latest, err := latestOf(tx, c, n)
		if err != nil {
			return err
		}
		found, err := versions(tx, latest)
		if err != nil {
			return err
		}
		for _, v := range found {
			shown, err := p.show(tx, c, v, decrypt)
			if err != nil {
				return err
			}
			all = append(all, shown)
		}
		return nil
	})
	return all, err
}

// Put is what PutParameter is told; what is empty, or nil, stays as it is where a parameter gets another version.
type Put struct {
	Name, Value, DataType, KeyID, Tier string
	Description, AllowedPattern        *string // empty texts take them away
	Type                               trellis.ParameterType
	Overwrite                          bool
	Tags                               map[string]string
}

// Put makes a parameter, or with Overwrite another version of one.
func (p *Parameters) Put(ctx context.Context, c *authpolicy.Caller, in Put) (n *trellis.Parameter, rev trellis.Revision, err error) {
	if err := checkName(in.Name); err != nil {
		return nil, 0, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, 0, err
	}
	rev, err = p.Commit(ctx, c, "ssm:PutParameter", p.arn(c, in.Name), authpolicy.TagKeys(map[string][]string{"ssm:overwrite": {strconv.FormatBool(in.Overwrite)}}, in.Tags, nil), func(tx *store.Tx) error {
		n, err = store.Get[*trellis.Parameter](tx, c.Principal.Account+"/"+in.Name)
		switch {
		case errors.Is(err, trellis.ErrNotExist):
			n = &trellis.Parameter{Meta: p.Meta(c, in.Name, in.Tags)}
		case err != nil:
			return err
		case !in.Overwrite:
			return fault("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
		case len(in.Tags) > 0:
			return fault("ValidationException", "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag.")
		}
		if err := in.apply(n); err != nil {
			return err
		}
		var by string
		if n.Type == trellis.ParameterSecureString {
			if by, err = p.useKey(tx, c, "kms:Encrypt", n.KeyID, n); err != nil {
				return err
			}
		}
		n.Version, n.UpdatedAt, n.ModifiedBy = n.Version+1, p.Time(), c.Principal.ARN
		if err := forget(tx, n); err != nil {
			return err
		}
		tx.Put(n)
		v := &trellis.ParameterVersion{Parameter: *n, Value: trellis.NewSecret(in.Value), KeyARN: by}
		v.Tags = nil
		tx.Put(v)
		return nil
	})
	return n, rev, err
}

// forget removes the oldest version when there is room for no more; one with a label stays.
func forget(tx *store.Tx, n *trellis.Parameter) error {
	if n.Version <= maxVersions {
		return nil
	}
	all, err := versions(tx, n)
	if err != nil || len(all) < maxVersions {
		return err
	}
	if len(all[0].Labels) > 0 {
		return fault("ParameterMaxVersionLimitExceeded", "You attempted to create a new version of %s by calling the PutParameter API with the overwrite flag. Version %d, the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again.", n.ID, all[0].Version)
	}
	tx.Delete(all[0])
	return nil
}

// apply lays what a request says over a parameter.
func (in *Put) apply(n *trellis.Parameter) error {
	for member, to := range map[*string]string{&n.DataType: in.DataType, &n.Tier: in.Tier, &n.KeyID: in.KeyID} {
		if to != "" {
			*member = to
		}
	}
	for member, to := range map[*string]*string{&n.Description: in.Description, &n.AllowedPattern: in.AllowedPattern} {
		if to != nil {
			*member = *to
		}
	}
	switch {
	case in.Type != "" && n.Type != "" && in.Type != n.Type:
		return fault("HierarchyTypeMismatchException", "The parameter %s has the type %s, which can't be changed.", n.ID, n.Type)
	case in.Type != "":
		n.Type = in.Type
	case n.Type == "":
		return fault("ValidationException", "A parameter type is required when you create a parameter.")
	}
	if n.DataType == "" {
		n.DataType = "text"
	}
	secure := n.Type == trellis.ParameterSecureString
	switch {
	case secure && n.KeyID == "":
		n.KeyID = defaultKey
	case !secure && in.KeyID != "":
		return fault("ValidationException", "KeyId is required for SecureString type parameter only.")
	}
	if n.Tier == "" || n.Tier == "Intelligent-Tiering" {
		n.Tier = standardTier
		if len(in.Value) > maxStandard && in.Tier != "" {
			n.Tier = advancedTier
		}
	}
	most := maxStandard
	if n.Tier == advancedTier {
		most = maxAdvanced
	}
	if len(in.Value) > most {
		return fault("ValidationException", "%s tier parameters support a maximum parameter value of %d characters.", n.Tier, most)
	}
	if in.Value == "" {
		return fault("ValidationException", "A parameter must have a value.")
	}
	if n.AllowedPattern != "" {
		form, err := regexp.Compile("^(?:" + n.AllowedPattern + ")$")
		if err != nil {
			return fault("InvalidAllowedPatternException", "The request does not meet the regular expression requirement: %q does not compile.", n.AllowedPattern)
		}
		if !form.MatchString(in.Value) {
			return fault("ParameterPatternMismatchException", "Parameter value, cannot be validated against allowedPattern: %s", n.AllowedPattern)
		}
	}
	if n.DataType != "text" && n.DataType != "aws:ec2:image" && n.DataType != "aws:ssm:integration" {
		return fault("ValidationException", "The following data type is not supported: %s", n.DataType)
	}
	return nil
}

// Delete removes parameters, for an action, and returns the names of those that there were not.
func (p *Parameters) Delete(ctx context.Context, c *authpolicy.Caller, action string, names []string) (deleted, invalid []string, rev trellis.Revision, err error) {
	for _, name := range names {
		if err := c.Authorize(action, p.arn(c, p.ParseName(c, name).Base), nil); err != nil {
			return nil, nil, 0, err
		}
	}
	rev, err = p.Store.Commit(ctx, func(tx *store.Tx) error {
		deleted, invalid = nil, nil
		for _, name := range names {
			n, err := p.own(tx, c, name)
			if e, is := errors.AsType[*trellis.Error](err); is && e.Code == "ParameterNotFound" {
				invalid = append(invalid, name)
				continue
			}
			if err != nil {
				return err
			}
			all, err := versions(tx, n)
			if err != nil {
				return err
			}
			for _, v := range all {
				tx.Delete(v)
			}
			tx.Delete(n)
			deleted = append(deleted, name)
		}
		return nil
	})
	return deleted, invalid, rev, err
}

// own reads a parameter of the caller's account, without a selector.
func (p *Parameters) own(tx *store.Tx, c *authpolicy.Caller, name string) (*trellis.Parameter, error) {
	n := p.ParseName(c, name)
	if n.Selector != "" {
		return nil, missing(name)
	}
	return latestOf(tx, c, n)
}

// labelForm is what labels are made of: not a number first, and not aws or ssm.
var labelForm = regexp.MustCompile(`^[a-zA-Z_.\-][a-zA-Z0-9_.\-]*$`)

// Label gives a version of a parameter labels, 0 the latest, taking them from the version that has them; with remove it takes them
// from it. It returns the version, the labels that are none or are not there, and the others.
func (p *Parameters) Label(ctx context.Context, c *authpolicy.Caller, action, name string, version int64, labels []string, remove bool) (at int64, invalid, valid []string, rev trellis.Revision, err error) {
	rev, err = p.Commit(ctx, c, action, p.arn(c, p.ParseName(c, name).Base), nil, func(tx *store.Tx) error {
		invalid, valid = nil, nil
		n, err := p.own(tx, c, name)
		if err != nil {
			return err
		}
		if at = version; at == 0 {
			at = n.Version
		}
		all, err := versions(tx, n)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(v *trellis.ParameterVersion) bool { return v.Version == at })
		if i < 0 {
			return fault("ParameterVersionNotFound", "Systems Manager could not find version %d of %s. Verify the version and try again.", at, name)
		}
		for _, l := range labels {
			lower := strings.ToLower(l)
			bad := !labelForm.MatchString(l) || strings.HasPrefix(lower, "aws") || strings.HasPrefix(lower, "ssm")
			if bad || remove && !slices.Contains(all[i].Labels, l) {
				invalid = append(invalid, l)
				continue
			}
			valid = append(valid, l)
		}
		for j, v := range all {
			kept := slices.DeleteFunc(slices.Clone(v.Labels), func(l string) bool { return (j == i || !remove) && slices.Contains(valid, l) })
			if j == i && !remove {
				kept = append(kept, valid...)
			}
			if len(kept) > maxLabels {
				return fault("ParameterVersionLabelLimitExceeded", "A version of a parameter has at most %d labels.", maxLabels)
			}
			if !slices.Equal(kept, v.Labels) {
				v.Labels = kept
				tx.Put(v)
			}
		}
		return nil
	})
	return at, invalid, valid, rev, err
}

// checkTags refuses tags that Systems Manager would refuse.
func checkTags(tags map[string]string) error {
	if len(tags) > trellis.MaxTags {
		return fault("TooManyTagsError", "A parameter has at most %d tags.", trellis.MaxTags)
	}
	for k, v := range tags {
		if wrong := trellis.CheckTag(k, v); wrong != "" {
			return fault("ValidationException", "%s", wrong)
		}
	}
	return nil
}

// Tag gives a parameter tags, and takes some from it, for an action.
func (p *Parameters) Tag(ctx context.Context, c *authpolicy.Caller, action, name string, tags map[string]string, without []string) (trellis.Revision, error) {
	keys := authpolicy.TagKeys(nil, tags, nil)
	if len(without) > 0 {
		keys = map[string][]string{"aws:tagkeys": without}
	}
	return p.Commit(ctx, c, action, p.arn(c, name), keys, func(tx *store.Tx) error {
		n, err := p.tagged(tx, c, name)
		if err != nil {
			return err
		}
		n.Tags = companion.WithoutTags(companion.WithTags(n.Tags, tags), without)
		if err := checkTags(n.Tags); err != nil {
			return err
		}
		tx.Put(n)
		return nil
	})
}

// tagged reads the parameter whose tags are asked for.
func (p *Parameters) tagged(tx *store.Tx, c *authpolicy.Caller, name string) (*trellis.Parameter, error) {
	n, err := p.own(tx, c, name)
	if e, is := errors.AsType[*trellis.Error](err); is && e.Code == "ParameterNotFound" {
		return nil, fault("InvalidResourceId", "The parameter %s does not exist.", name)
	}
	return n, err
}

// Tags returns the tags of a parameter.
func (p *Parameters) Tags(ctx context.Context, c *authpolicy.Caller, name string) (tags map[string]string, err error) {
	err = p.Read(ctx, c, "ssm:ListTagsForResource", p.arn(c, name), nil, func(tx *store.Tx) error {
		n, err := p.tagged(tx, c, name)
		if err == nil {
			tags = n.Tags
		}
		return err
	})
	return tags, err
}
