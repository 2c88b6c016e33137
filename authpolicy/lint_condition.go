package authpolicy

import (
	"net/netip"
	"strings"
)

// keyTypes are the types of condition keys whose values are not strings, by lower-case name (IAM user guide,
// reference_policies_condition-keys; VPC Lattice user guide, auth-policies).
var keyTypes = map[string]class{
	"vpc-lattice-svcs:port":                numberClass,
	"vpc-lattice-svcs:servicearn":          arnClass,
	"vpc-lattice-svcs:servicenetworkarn":   arnClass,
	"vpc-lattice:resourceconfigurationarn": arnClass,
	"vpc-lattice:servicearn":               arnClass,
	"vpc-lattice:servicenetworkarn":        arnClass,
	"vpc-lattice:targetgrouparns":          arnClass,
	"aws:currenttime":                      dateClass,
	"aws:epochtime":                        dateClass,
	"aws:multifactorauthage":               numberClass,
	"aws:multifactorauthpresent":           boolClass,
	"aws:principalarn":                     arnClass,
	"aws:principalisawsservice":            boolClass,
	"aws:securetransport":                  boolClass,
	"aws:sourcearn":                        arnClass,
	"aws:sourceip":                         addressClass,
	"aws:tokenissuetime":                   dateClass,
	"aws:viaawsservice":                    boolClass,
	"aws:vpcsourceip":                      addressClass,
}

// manyValued are the keys that can have several values, by lower-case name, or by the name up to a slash.
var manyValued = map[string]bool{
	"aws:calledvia": true, "aws:principalorgpaths": true, "aws:principalservicenameslist": true, "aws:resourceorgpaths": true,
	"aws:sourceorgpaths": true, "aws:tagkeys": true, "aws:vpceorgpaths": true, "vpc-lattice:privatednsspecifieddomains": true,
	"vpc-lattice:securitygroupids": true, "vpc-lattice:targetgrouparns": true, "vpc-lattice-svcs:requestquerystring/": true,
	"vpc-lattice-svcs:requestheader/": true,
}

// mayHaveMany tells whether a key of known kind can have several values.
func (k *key) mayHaveMany() bool {
	base, _, tag := strings.Cut(k.extra, "/")
	return manyValued[k.extra] || tag && manyValued[base+"/"]
}

// latticeKeys are the condition keys of vpc-lattice (Service Authorization Reference, list_amazonvpclattice).
var latticeKeys = map[string]bool{
	"vpc-lattice:authtype": true, "vpc-lattice:createaction": true, "vpc-lattice:domainname": true, "vpc-lattice:privatednspreference": true,
	"vpc-lattice:privatednsspecifieddomains": true, "vpc-lattice:protocol": true, "vpc-lattice:resourceconfigurationarn": true,
	"vpc-lattice:securitygroupids": true, "vpc-lattice:servicearn": true, "vpc-lattice:servicenetworkarn": true,
	"vpc-lattice:targetgrouparns": true, "vpc-lattice:vpcendpointid": true, "vpc-lattice:vpcid": true,
}

// conditions looks at the Condition element.
func (l *linter) conditions(n *node, s *Statement) {
	block := n.get("Condition")
	if block == nil || block.kind != objectNode {
		return
	}
	for i, keys := range block.items {
		op, set, _, err := parseOperator(keys, block.names[i])
		if err != nil || keys.kind != objectNode {
			continue
		}
		for j, vals := range keys.items {
			if k, bad := parseKey(keys.names[j]); bad == nil {
				l.key(n, s, op, set, k, keys.names[j], vals)
			}
			l.values(op, vals)
		}
	}
}

// key looks at a condition's key with its operator.
func (l *linter) key(n *node, s *Statement, op *operator, set quantifier, k *key, name string, vals *node) {
	want, typed := keyTypes[k.extra]
	global := strings.HasPrefix(k.extra, "aws:") || strings.HasPrefix(k.extra, "vpc-lattice-svcs:")
	switch {
	case typed && !fits(want, op.class):
		l.noteName(LintWarning, "TYPE_MISMATCH", vals, "The operator "+op.name+" does not go with the condition key "+short(name)+", whose values are "+kindOf(want)+".")
	case !typed && global && !fits(stringClass, op.class) && k.kind != headerKey && k.kind != queryKey && !strings.Contains(k.extra, "/"):
		l.noteName(LintWarning, "TYPE_MISMATCH", vals, "The operator "+op.name+" does not go with the condition key "+short(name)+", whose values are strings.")
	}
	many := k.mayHaveMany()
	switch {
	case set == anyOfOne && many && global && op.class != nullClass && k.kind != headerKey && k.kind != queryKey:
		l.noteName(LintWarning, "MISSING_QUALIFIER", vals, "The condition key "+short(name)+" has several values. Write ForAllValues: or ForAnyValue: before the operator.")
	case set == forAllValues && !s.Deny && global && !many:
		l.noteName(LintSecurityWarning, "FOR_ALL_VALUES_WITH_SINGLE_VALUED_KEY", vals, "ForAllValues holds for a request without the condition key "+short(name)+", which has one value. Remove it.")
	}
	if k.extra == "aws:sourceowner" {
		l.noteName(LintWarning, "DEPRECATED_GLOBAL_CONDITION_KEY", vals, "The condition key aws:SourceOwner is deprecated. Use aws:SourceAccount.")
	}
	l.service(n, k, name, vals)
}

// service holds the service of a condition's key against those of the statement's actions.
func (l *linter) service(n *node, k *key, name string, vals *node) {
	service, _, _ := strings.Cut(k.extra, ":")
	if strings.HasPrefix(k.extra, "vpc-lattice:") && !latticeKeys[k.extra] {
		l.noteName(LintWarning, "INVALID_SERVICE_CONDITION_KEY", vals, "There is no condition key "+short(name)+".")
		return
	}
	if service == "aws" || strings.Contains(service, ".") || strings.Contains(service, "/") || l.kind == Trust {
		return // global, or a claim of a token
	}
	actions := texts(n.get("Action"))
	if len(actions) == 0 {
		return
	}
	for _, a := range actions {
		of, _, _ := strings.Cut(strings.ToLower(a.text), ":")
		if glob(wildcards.Replace(of), service, nil) {
			return
		}
	}
	l.noteName(LintWarning, "INVALID_SERVICE_CONDITION_KEY", vals, "No action of the statement has the condition key "+short(name)+".")
}

// fits tells whether an operator's class goes with a key's.
func fits(key, op class) bool {
	switch op {
	case nullClass:
		return true
	case foldClass, likeClass:
		op = stringClass
	}
	return key == op || key == arnClass && op == stringClass || key == dateClass && op == numberClass || key == boolClass && op == stringClass
}

// kindOf names the values of a class.
func kindOf(c class) string {
	switch c {
	case numberClass:
		return "numbers"
	case dateClass:
		return "dates"
	case boolClass:
		return "true or false"
	case addressClass:
		return "IP addresses"
	case arnClass:
		return "ARNs"
	}
	return "strings"
}

// values looks at the values of a condition.
func (l *linter) values(op *operator, vals *node) {
	items := texts(vals)
	seen := map[string]bool{}
	for _, it := range items {
		if seen[it.text] {
			l.note(LintSuggestion, "REDUNDANT_CONDITION_VALUE", it, "The value "+short(it.text)+" is there already.")
		}
		seen[it.text] = true
		switch op.class {
		case stringClass, foldClass:
			plain := strings.NewReplacer("${*}", "", "${?}", "").Replace(it.text)
			if strings.ContainsAny(plain, "*?") {
				l.note(LintWarning, "WILDCARD_WITHOUT_LIKE_OPERATOR", it, "The operator "+op.name+" takes * and ? literally. Use StringLike for wildcards.")
			}
		case addressClass:
			if p, err := netip.ParsePrefix(it.text); err == nil && p != p.Masked() {
				l.note(LintSuggestion, "IMPROVE_IP_RANGE", it, "Bits behind the prefix are set and do not count: "+p.Masked().String()+" is the same.")
			}
		}
	}
	if len(items) > 1 && len(op.orders) > 0 && op.name != "NumericEquals" && op.name != "DateEquals" && !op.negated {
		code := "REDUNDANT_CONDITION_VALUE_NUM"
		if op.class == dateClass {
			code = "REDUNDANT_CONDITION_VALUE_DATE"
		}
		l.note(LintSuggestion, code, vals, "Of several values of "+op.name+" one decides. Keep that one.")
	}
}
