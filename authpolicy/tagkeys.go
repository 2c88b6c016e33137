package authpolicy

import "strings"

// TagKeys adds the condition keys of tags to k, which may be nil: aws:RequestTag and aws:TagKeys of those in a request,
// aws:ResourceTag of those that the resource has (IAM user guide, controlling access with tags).
func TagKeys(k map[string][]string, request, resource map[string]string) map[string][]string {
	if len(request)+len(resource) == 0 {
		return k
	}
	if k == nil {
		k = map[string][]string{}
	}
	for name, v := range request {
		k["aws:requesttag/"+strings.ToLower(name)] = []string{v}
		k["aws:tagkeys"] = append(k["aws:tagkeys"], name)
	}
	for name, v := range resource {
		k["aws:resourcetag/"+strings.ToLower(name)] = []string{v}
	}
	return k
}
