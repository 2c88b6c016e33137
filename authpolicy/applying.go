package authpolicy

// Applying returns the statements that speak of a request with an effect: Allow or ExplicitDeny.
func (p *Policy) Applying(r *Request, e Effect) (out []*Statement) {
	for i := range p.statements {
		if s := &p.statements[i]; s.Deny == (e == ExplicitDeny) && s.applies(r) {
			out = append(out, s)
		}
	}
	return out
}

// Keys returns the condition keys that the policy asks, in conditions and by variables, as it writes them first, without
// doubles.
func (p *Policy) Keys() []string { return p.keys(func(*key) bool { return true }) }

// Missing returns those of Keys that a request has no value for.
func (p *Policy) Missing(r *Request) []string {
	return p.keys(func(k *key) bool {
		_, _, ok := k.value(r, 0)
		return !ok
	})
}

// keys returns those of Keys that are wanted.
func (p *Policy) keys(wanted func(*key) bool) (out []string) {
	seen := map[string]bool{}
	p.eachKey(func(k *key, name string) {
		if !seen[k.extra] {
			seen[k.extra] = true
			if wanted(k) {
				out = append(out, name)
			}
		}
	})
	return out
}

// eachKey calls fn for every key that the policy asks, with its name.
func (p *Policy) eachKey(fn func(k *key, name string)) {
	variables := func(pt *pattern) {
		for i := range pt.parts {
			if k := pt.parts[i].variable; k != nil {
				fn(k, k.text)
			}
		}
	}
	for i := range p.statements {
		s := &p.statements[i]
		for j := range s.resources {
			variables(&s.resources[j])
		}
		for j := range s.conditions {
			c := &s.conditions[j]
			fn(c.key, c.text.key)
			for k := range c.values {
				variables(&c.values[k].pattern)
			}
		}
	}
}
