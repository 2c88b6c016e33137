package controlplane

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// maxHopLimit is the largest hop limit of a token (EC2 API reference, InstanceMetadataOptionsRequest).
const maxHopLimit = 64

// MetadataWords are metadata options as the API has them, each under its name, and without those that are not said.
func MetadataWords(o trellis.MetadataOptions) map[string]string {
	words := map[string]string{}
	for name, of := range map[string]struct {
		is      *bool
		yes, no string
	}{
		"HttpEndpoint":         {o.Endpoint, "enabled", "disabled"},
		"HttpTokens":           {o.TokensRequired, "required", "optional"},
		"HttpProtocolIpv6":     {o.IPv6, "enabled", "disabled"},
		"InstanceMetadataTags": {o.Tags, "enabled", "disabled"},
	} {
		switch {
		case of.is == nil:
		case *of.is:
			words[name] = of.yes
		default:
			words[name] = of.no
		}
	}
	if o.HopLimit != nil {
		words["HttpPutResponseHopLimit"] = strconv.Itoa(*o.HopLimit)
	}
	return words
}

// MetadataState tells whether metadata options hold already: from when the instance runs.
func MetadataState(i *trellis.Instance) string {
	if i.State == trellis.InstancePending {
		return "pending"
	}
	return "applied"
}

// checkMetadataOptions refuses options that no instance can have.
func checkMetadataOptions(o trellis.MetadataOptions) error {
	if o.HopLimit != nil && (*o.HopLimit < 1 || *o.HopLimit > maxHopLimit) {
		return invalidParameter("HttpPutResponseHopLimit", strconv.Itoa(*o.HopLimit), "It must be between 1 and 64.")
	}
	return nil
}

// metadataTag is a key of a tag that the metadata can show: a name in a path (EC2 user guide, "Instance tag keys").
var metadataTag = regexp.MustCompile(`^[0-9a-zA-Z\-_+=,.@:]{1,255}$`)

// MetadataTag tells whether a tag can be among the metadata.
func MetadataTag(key string) bool {
	return metadataTag.MatchString(key) && key != "." && key != ".." && key != "_index"
}

// checkMetadataTags refuses tags that can't be among the metadata of an instance that has its tags there.
func checkMetadataTags(o trellis.MetadataOptions, tags map[string]string) error {
	if !*o.Tags {
		return nil
	}
	for key := range tags {
		if !MetadataTag(key) {
			return ec2Error("InvalidParameterValue", `'%s' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\-_+=,.@:]{1,255}), and must not be a reserved name ('.', '..', '_index')`, key)
		}
	}
	return nil
}

// metadataDefaults are what an account, and behind it the lab image, says of all metadata options, and whether it insists
// on tokens.
func metadataDefaults(tx *store.Tx, account string) (o trellis.MetadataOptions, enforced bool, err error) {
	a, err := store.Get[*trellis.Account](tx, account)
	if errors.Is(err, trellis.ErrNotExist) {
		return trellis.ImageMetadataOptions(), false, nil
	}
	if err != nil {
		return o, false, err
	}
	return a.MetadataDefaults.Or(trellis.ImageMetadataOptions()), a.TokensEnforced, nil
}

// launchMetadata are the metadata options of new instances.
func launchMetadata(tx *store.Tx, account string, in NewInstances) (trellis.MetadataOptions, error) {
	defaults, enforced, err := metadataDefaults(tx, account)
	if err != nil {
		return defaults, err
	}
	o := in.MetadataOptions.Or(defaults)
	if enforced && !*o.TokensRequired {
		return o, ec2Error("UnsupportedOperation", "You can't launch instances with IMDSv1 because httpTokensEnforced is enabled for this account. Launch the instance with httpTokens=required, or disable httpTokensEnforced by ModifyInstanceMetadataDefaults.")
	}
	return o, checkMetadataTags(o, in.Tags)
}

// metadataAttributes are the filters of DescribeInstances that ask for metadata options.
func metadataAttributes(i *trellis.Instance) attributes {
	words := MetadataWords(i.Metadata())
	return attributes{
		"metadata-options.http-endpoint": {words["HttpEndpoint"]}, "metadata-options.http-protocol-ipv4": {words["HttpEndpoint"]},
		"metadata-options.http-protocol-ipv6": {words["HttpProtocolIpv6"]}, "metadata-options.http-put-response-hop-limit": {words["HttpPutResponseHopLimit"]},
		"metadata-options.http-tokens": {words["HttpTokens"]}, "metadata-options.instance-metadata-tags": {words["InstanceMetadataTags"]}, "metadata-options.state": {MetadataState(i)},
	}
}

// metadataKeys adds to k, which may be nil, the condition keys of an instance's metadata options.
func metadataKeys(k keys, o trellis.MetadataOptions) keys {
	if k == nil {
		k = keys{}
	}
	words := MetadataWords(o)
	for _, name := range []string{"HttpEndpoint", "HttpTokens", "HttpPutResponseHopLimit"} {
		k["ec2:metadata"+strings.ToLower(name)] = []string{words[name]}
	}
	return k
}

// metadataKeysOf is metadataKeys of the instance that an ARN names, if there is one.
func metadataKeysOf(tx *store.Tx, k keys, arn string) (keys, error) {
	a, err := trellis.ParseARN(arn)
	if err != nil {
		return k, nil
	}
	id, isInstance := strings.CutPrefix(a.Resource, "instance/")
	if !isInstance || !idInstance.fits(id) {
		return k, nil
	}
	i, err := store.Get[*trellis.Instance](tx, a.Account+"/"+id)
	if errors.Is(err, trellis.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return nil, err
	}
	return metadataKeys(k, i.Metadata()), nil
}

// ModifyMetadataOptions changes what a request says of an instance's metadata options, and returns all of them.
func (p *Plane) ModifyMetadataOptions(ctx context.Context, c EC2Call, id string, o trellis.MetadataOptions) (out trellis.MetadataOptions, rev trellis.Revision, err error) {
	if err := checkMetadataOptions(o); err != nil {
		return out, 0, err
	}
	rev, err = p.changeInstance(ctx, c, "ModifyInstanceMetadataOptions", id, attributeKeys(MetadataWords(o)), func(tx *store.Tx, i *trellis.Instance) error {
		_, enforced, err := metadataDefaults(tx, i.Account)
		if err != nil {
			return err
		}
		out = o.Or(i.Metadata())
		if enforced && *i.Metadata().TokensRequired && !*out.TokensRequired {
			return ec2Error("UnsupportedOperation", "You can't enable IMDSv1 on this instance because httpTokensEnforced is enabled for this account.")
		}
		i.MetadataOptions = out
		return checkMetadataTags(out, i.Tags)
	})
	return out, rev, err
}

// AccountMetadata is what an account says of the metadata options of its new instances.
type AccountMetadata struct {
	trellis.MetadataOptions
	TokensEnforced bool
}

// AccountMetadata is GetInstanceMetadataDefaults.
func (p *Plane) AccountMetadata(ctx context.Context, c EC2Call) (out AccountMetadata, err error) {
	if err := c.allow("GetInstanceMetadataDefaults", nil, "*"); err != nil {
		return out, err
	}
	err = p.read(ctx, func(tx *store.Tx) error {
		a, err := store.Get[*trellis.Account](tx, c.account())
		if err == nil {
			out = AccountMetadata{a.MetadataDefaults, a.TokensEnforced}
		}
		return err
	})
	return out, err
}

// ModifyAccountMetadata is ModifyInstanceMetadataDefaults: change changes what the account has said.
func (p *Plane) ModifyAccountMetadata(ctx context.Context, c EC2Call, change func(*AccountMetadata)) (trellis.Revision, error) {
	if err := c.allow("ModifyInstanceMetadataDefaults", nil, "*"); err != nil {
		return 0, err
	}
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		a, err := store.Get[*trellis.Account](tx, c.account())
		if err != nil {
			return err
		}
		m := AccountMetadata{a.MetadataDefaults, a.TokensEnforced}
		change(&m)
		if hops := m.HopLimit; hops != nil && (*hops < 1 || *hops > maxHopLimit) {
			return invalidParameter("HttpPutResponseHopLimit", strconv.Itoa(*hops), "It must be between 1 and 64, or -1 for no preference.")
		}
		a.MetadataDefaults, a.TokensEnforced = m.MetadataOptions, m.TokensEnforced
		tx.Put(a)
		return nil
	})
}
