package estate

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// tagForm is how a service gives, lists and takes tags. KIND in an operation is the name of the kind.
type tagForm struct {
	made         string // member of creating operations that has them; empty: they are set after
	name, value  string // of a pair; empty: tags are a structure
	list, listed string // the operation that lists them, and where its answer has them; empty: other answers have them
	tag, set     string // the operation that sets some, and its member; empty: all are set at once
	untag, drop  string // the operation that takes some away, and its member
	pairs        bool   // they are taken away as pairs, not by their keys
	which        func(t *thing) map[string]any
}

// byARN says whose tags are meant by a member with an ARN.
func byARN(member string) func(*thing) map[string]any {
	return func(t *thing) map[string]any { return map[string]any{member: t.arn} }
}

// tagForms are the forms of all services.
var tagForms = map[string]tagForm{
	lattice: {made: "tags", list: "ListTagsForResource", listed: "tags", tag: "TagResource", set: "tags", untag: "UntagResource", drop: "tagKeys", which: byARN("resourceArn")},
	"acm": {made: "Tags", name: "Key", value: "Value", list: "ListTagsForCertificate", listed: "Tags", tag: "AddTagsToCertificate", set: "Tags",
		untag: "RemoveTagsFromCertificate", drop: "Tags", pairs: true, which: byARN("CertificateArn")},
	"ec2": {made: "TagSpecifications", name: "Key", value: "Value", tag: "CreateTags", set: "Tags", untag: "DeleteTags", drop: "Tags", pairs: true,
		which: func(t *thing) map[string]any { return map[string]any{"Resources": []any{t.id}} }},
	"eks": {made: "tags", tag: "TagResource", set: "tags", untag: "UntagResource", drop: "tagKeys", which: byARN("resourceArn")},
	"elasticloadbalancing": {made: "Tags", name: "Key", value: "Value", list: "DescribeTags", listed: "TagDescriptions.Tags", tag: "AddTags", set: "Tags",
		untag: "RemoveTags", drop: "TagKeys", which: func(t *thing) map[string]any { return map[string]any{"ResourceArns": []any{t.arn}} }},
	"firehose": {made: "Tags", name: "Key", value: "Value", list: "ListTagsForDeliveryStream", listed: "Tags", tag: "TagDeliveryStream", set: "Tags",
		untag: "UntagDeliveryStream", drop: "TagKeys", which: func(t *thing) map[string]any { return map[string]any{"DeliveryStreamName": t.own} }},
	"iam": {made: "Tags", name: "Key", value: "Value", list: "ListKINDTags", listed: "Tags", tag: "TagKIND", set: "Tags", untag: "UntagKIND", drop: "TagKeys",
		which: func(t *thing) map[string]any { return map[string]any{t.kind.id: cmp.Or(t.id, t.own)} }},
	"kms": {made: "Tags", name: "TagKey", value: "TagValue", list: "ListResourceTags", listed: "Tags", tag: "TagResource", set: "Tags", untag: "UntagResource", drop: "TagKeys",
		which: func(t *thing) map[string]any { return map[string]any{"KeyId": t.id} }},
	"lambda": {made: "Tags", tag: "TagResource", set: "Tags", untag: "UntagResource", drop: "TagKeys", which: byARN("Resource")},
	"logs":   {made: "tags", list: "ListTagsForResource", listed: "tags", tag: "TagResource", set: "tags", untag: "UntagResource", drop: "tagKeys", which: byARN("resourceArn")},
	"monitoring": {made: "Tags", name: "Key", value: "Value", list: "ListTagsForResource", listed: "Tags", tag: "TagResource", set: "Tags",
		untag: "UntagResource", drop: "TagKeys", which: byARN("ResourceARN")},
	organizations: {made: "Tags", name: "Key", value: "Value", list: "ListTagsForResource", listed: "Tags", tag: "TagResource", set: "Tags", untag: "UntagResource", drop: "TagKeys",
		which: func(t *thing) map[string]any { return map[string]any{"ResourceId": t.id} }},
	"ram": {made: "tags", name: "key", value: "value", tag: "TagResource", set: "tags", untag: "UntagResource", drop: "tagKeys",
		which: func(t *thing) map[string]any {
			if t.kind.name == "SharePermission" {
				return map[string]any{"resourceArn": t.arn}
			}
			return map[string]any{"resourceShareArn": t.arn}
		}},
	"rolesanywhere": {made: "tags", name: "key", value: "value", list: "ListTagsForResource", listed: "tags", tag: "TagResource", set: "tags",
		untag: "UntagResource", drop: "tagKeys", which: byARN("resourceArn")},
	"route53": {name: "Key", value: "Value", list: "ListTagsForResource", listed: "ResourceTagSet.Tags", tag: "ChangeTagsForResource", set: "AddTags",
		untag: "ChangeTagsForResource", drop: "RemoveTagKeys",
		which: func(t *thing) map[string]any {
			return map[string]any{"ResourceType": "hostedzone", "ResourceId": t.id}
		}},
	"s3": {name: "Key", value: "Value", list: "GetBucketTagging", listed: "TagSet",
		which: func(t *thing) map[string]any { return map[string]any{"Bucket": t.own} }},
	"ssm": {made: "Tags", name: "Key", value: "Value", list: "ListTagsForResource", listed: "TagList", tag: "AddTagsToResource", set: "Tags", untag: "RemoveTagsFromResource", drop: "TagKeys",
		which: func(t *thing) map[string]any {
			return map[string]any{"ResourceType": "Parameter", "ResourceId": t.own}
		}},
}

// of are tags as the service takes them.
func (f tagForm) of(k *kind, tags map[string]string) any {
	if f.name == "" {
		return tags
	}
	all := pairs(tags, f.name, f.value)
	if f.made == "TagSpecifications" {
		return []any{map[string]any{"ResourceType": k.resource, "Tags": all}}
	}
	return all
}

// pairs are tags as a list, sorted.
func pairs(tags map[string]string, key, value string) []any {
	var out []any
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, map[string]any{key: k, value: tags[k]})
	}
	return out
}

// tagsOf reads tags in any of AWS's forms: a structure, or a list of pairs.
func tagsOf(v any) map[string]string {
	tags := map[string]string{}
	for k, e := range structure(v) {
		tags[k] = text(e)
	}
	for _, e := range list(v) {
		m := structure(e)
		tags[text(cmp.Or(m["Key"], m["key"], m["TagKey"]))] = text(cmp.Or(m["Value"], m["value"], m["TagValue"]))
	}
	return tags
}

// readTags asks for the tags of a thing.
func readTags(ctx context.Context, s *session, t *thing) (map[string]string, error) {
	f := tagForms[t.kind.service]
	operation := strings.ReplaceAll(f.list, "KIND", t.kind.name)
	if f.name == "" {
		out, err := s.call(ctx, t.kind.service, operation, f.which(t))
		return tagsOf(at(out, f.listed)), err
	}
	found, err := s.items(ctx, t.kind.service, operation, f.which(t), f.listed)
	if refused(err, "NoSuchTagSet") {
		return map[string]string{}, nil
	}
	var all []any
	for _, tag := range found {
		all = append(all, tag)
	}
	return tagsOf(all), err
}

// withTags reads the tags of things that no other answer has told, many at a time. What went away meanwhile is left out.
func withTags(ctx context.Context, s *session, k *kind, found []*thing) ([]*thing, error) {
	if k.tagless || tagForms[k.service].list == "" {
		return found, nil
	}
	things := slices.Clone(found)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for i, t := range things {
		if t.tags != nil {
			continue
		}
		g.Go(func() (err error) {
			if t.tags, err = readTags(ctx, s, t); gone(err) {
				things[i], err = nil, nil
			}
			return err
		})
	}
	err := g.Wait()
	return slices.DeleteFunc(things, func(t *thing) bool { return t == nil }), err
}

// retag sets and takes away tags.
func retag(ctx context.Context, s *session, t *thing, set map[string]string, drop []string) error {
	f := tagForms[t.kind.service]
	if f.tag == "" { // S3 takes all tags of a bucket at once
		all := maps.Clone(t.tags)
		if t.madeBy != "" {
			all[estateTag] = t.madeBy
		}
		return s.do(ctx, t.kind.service, "PutBucketTagging", map[string]any{"Bucket": t.own, "Tagging": map[string]any{"TagSet": f.of(t.kind, all)}})
	}
	if len(set) > 0 {
		in := f.which(t)
		in[f.set] = set
		if f.name != "" {
			in[f.set] = pairs(set, f.name, f.value)
		}
		if err := s.do(ctx, t.kind.service, strings.ReplaceAll(f.tag, "KIND", t.kind.name), in); err != nil {
			return err
		}
	}
	if len(drop) == 0 {
		return nil
	}
	in := f.which(t)
	var keys []any
	for _, k := range drop {
		if f.pairs {
			keys = append(keys, map[string]any{f.name: k})
		} else {
			keys = append(keys, k)
		}
	}
	in[f.drop] = keys
	return s.do(ctx, t.kind.service, strings.ReplaceAll(f.untag, "KIND", t.kind.name), in)
}
