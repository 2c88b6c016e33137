package alarm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
)

// What a rule may have (CloudWatch API, PutCompositeAlarm).
const (
	maxChildren = 100
	maxElements = 500 // alarms, TRUE, FALSE and parentheses
)

// rule is the expression of a composite alarm, or a part of one: functions of alarms' states under AND, OR and NOT.
type rule struct {
	word  string // AND, OR, NOT, TRUE, FALSE, or the state that an alarm must be in
	alarm string // the name or ARN of that alarm
	parts []*rule
}

// parseRule reads a rule. NOT goes before AND, and AND before OR.
func parseRule(text string) (*rule, error) {
	p := &ruleParser{text: text}
	r, err := p.any()
	if err != nil {
		return nil, err
	}
	if p.word(); p.at < len(p.text) {
		return nil, p.fault("there is more than an expression")
	}
	if n := len(r.alarms()); n > maxChildren {
		return nil, fault("ValidationError", "AlarmRule names %d alarms, more than %d.", n, maxChildren)
	}
	return r, nil
}

// alarms are the alarms that a rule names, each once.
func (r *rule) alarms() (names []string) {
	if r.alarm != "" {
		return []string{r.alarm}
	}
	for _, p := range r.parts {
		names = append(names, p.alarms()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// holds tells whether a rule is true, by the states of the alarms.
func (r *rule) holds(state func(alarm string) trellis.AlarmState) bool {
	switch r.word {
	case "TRUE", "FALSE":
		return r.word == "TRUE"
	case "NOT":
		return !r.parts[0].holds(state)
	case "AND":
		return !slices.ContainsFunc(r.parts, func(p *rule) bool { return !p.holds(state) })
	case "OR":
		return slices.ContainsFunc(r.parts, func(p *rule) bool { return p.holds(state) })
	}
	return string(state(r.alarm)) == r.word
}

// ruleParser reads a rule from the left.
type ruleParser struct {
	text     string
	at       int
	elements int
}

// fault says what is wrong, and where.
func (p *ruleParser) fault(format string, args ...any) error {
	return fault("ValidationError", "AlarmRule is invalid at character %d: %s.", p.at+1, fmt.Sprintf(format, args...))
}

// word goes to the next thing that is no space, and returns the word there in capitals, empty for none.
func (p *ruleParser) word() string {
	p.at += len(p.text[p.at:]) - len(strings.TrimLeft(p.text[p.at:], " \t\r\n"))
	end := p.at
	for end < len(p.text) && (p.text[end] >= 'A' && p.text[end] <= 'Z' || p.text[end] >= 'a' && p.text[end] <= 'z' || p.text[end] == '_') {
		end++
	}
	return strings.ToUpper(p.text[p.at:end])
}

// any reads expressions with OR between them.
func (p *ruleParser) any() (*rule, error) { return p.list("OR", p.all) }

// all reads expressions with AND between them.
func (p *ruleParser) all() (*rule, error) { return p.list("AND", p.one) }

// list reads parts with a word between them.
func (p *ruleParser) list(word string, part func() (*rule, error)) (*rule, error) {
	r := &rule{word: word}
	for {
		one, err := part()
		if err != nil {
			return nil, err
		}
		if r.parts = append(r.parts, one); p.word() != word {
			break
		}
		p.at += len(word)
	}
	if len(r.parts) == 1 {
		return r.parts[0], nil
	}
	return r, nil
}

// one reads what AND and OR stand between.
func (p *ruleParser) one() (*rule, error) {
	not := false
	word := p.word()
	for ; word == "NOT"; word = p.word() {
		not, p.at = !not, p.at+len(word)
	}
	if p.elements++; p.elements > maxElements {
		return nil, fault("ValidationError", "AlarmRule has more than %d elements.", maxElements)
	}
	var r *rule
	var err error
	switch {
	case word == "TRUE" || word == "FALSE":
		p.at += len(word)
		r = &rule{word: word}
	case word == "ALARM" || word == "OK" || word == "INSUFFICIENT_DATA":
		p.at += len(word)
		r, err = p.function(word)
	case word == "" && strings.HasPrefix(p.text[p.at:], "("):
		p.at++
		if r, err = p.any(); err == nil {
			err = p.close()
		}
	default:
		err = p.fault("an expression must stand here: TRUE, FALSE, ALARM(…), OK(…), INSUFFICIENT_DATA(…), NOT … or one in parentheses")
	}
	if err != nil || !not {
		return r, err
	}
	return &rule{word: "NOT", parts: []*rule{r}}, nil
}

// close reads a closing parenthesis.
func (p *ruleParser) close() error {
	if p.word(); !strings.HasPrefix(p.text[p.at:], ")") {
		return p.fault("a closing parenthesis must stand here")
	}
	p.at++
	return nil
}

// function reads what a function of an alarm's state is asked about: a name or ARN, in quotation marks where it has parentheses.
func (p *ruleParser) function(state string) (*rule, error) {
	if p.word() != "" || !strings.HasPrefix(p.text[p.at:], "(") {
		return nil, p.fault("%s must have an alarm in parentheses", state)
	}
	p.at++
	p.word()
	var name strings.Builder
	if strings.HasPrefix(p.text[p.at:], `"`) {
		for p.at++; ; p.at++ {
			if p.at >= len(p.text) {
				return nil, p.fault("a quotation mark must stand here")
			}
			if p.text[p.at] == '"' {
				p.at++
				break
			}
			if p.text[p.at] == '\\' && p.at+1 < len(p.text) {
				p.at++
			}
			name.WriteByte(p.text[p.at])
		}
	} else {
		end := strings.IndexByte(p.text[p.at:], ')')
		if end < 0 {
			end = len(p.text) - p.at
		}
		name.WriteString(strings.TrimRight(p.text[p.at:p.at+end], " \t\r\n"))
		p.at += end
	}
	if name.Len() == 0 {
		return nil, p.fault("the name of an alarm must stand here")
	}
	return &rule{word: state, alarm: name.String()}, p.close()
}
