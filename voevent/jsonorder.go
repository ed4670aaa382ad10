package voevent

import (
	"fmt"
	"strconv"
	"strings"
)

// order puts the children of an element into the order that "order" or "child_order" tells.
func (d *jsonDecoder) order(el *xmlElement, s *jsonShape, v *jsonValue) error {
	if len(s.children) == 0 || s.items {
		return nil
	}
	key := "child_order"
	if s.runs {
		key = "order"
	}
	m := v.get(key)
	if m == nil {
		return nil
	}
	d.path.member(key)
	var wanted []int
	var err error
	if s.runs {
		wanted, err = d.runs(s, m, len(el.children))
	} else {
		err = d.each(m, func(x *jsonValue) error {
			token, err := d.str(x)
			i := s.token(token)
			if err == nil && i < 0 {
				err = d.fail(unknownMember(token, s.tokens()))
			}
			wanted = append(wanted, i)
			return err
		})
	}
	if err != nil {
		return err
	}
	if err := d.arrange(el, wanted, func(i int) string { return s.children[i].local }); err != nil {
		return err
	}
	d.path.up()
	return nil
}

// arrange puts the children of el into an order given by their indices in the shape.
func (d *jsonDecoder) arrange(el *xmlElement, wanted []int, name func(int) string) error {
	waiting := make(map[int][]xmlNode)
	for _, c := range el.children {
		waiting[c.child] = append(waiting[c.child], c)
	}
	has, says := make(map[int]int), make(map[int]int)
	for i, q := range waiting {
		has[i] = len(q)
	}
	for _, i := range wanted {
		says[i]++
	}
	for _, i := range wanted {
		if says[i] != has[i] {
			return d.fail(fmt.Sprintf("the order names %d %s, but there are %d", says[i], name(i), has[i]))
		}
	}
	for _, c := range el.children {
		if says[c.child] == 0 {
			return d.fail("the order leaves out " + name(c.child))
		}
	}
	arranged := make([]xmlNode, 0, len(wanted))
	for _, i := range wanted {
		arranged = append(arranged, waiting[i][0])
		waiting[i] = waiting[i][1:]
	}
	el.children = arranged
	return nil
}

// runs reads "P12 G P3 G D". No more than limit children are counted out.
func (d *jsonDecoder) runs(s *jsonShape, v *jsonValue, limit int) ([]int, error) {
	text, err := d.str(v)
	if err != nil {
		return nil, err
	}
	var wanted []int
	for word := range strings.FieldsSeq(text) {
		letters := strings.TrimRight(word, "0123456789")
		count := 1
		if digits := word[len(letters):]; digits != "" {
			if count, err = strconv.Atoi(digits); err != nil || count < 1 {
				return nil, d.fail(strconv.Quote(word) + " does not say how many")
			}
		}
		i := s.token(letters)
		if i < 0 {
			return nil, d.fail(strconv.Quote(letters) + " is none of the letters " + wordList(s.tokens()))
		}
		if count > limit-len(wanted) {
			return nil, d.fail(fmt.Sprintf("the order counts more than the %d children there are", limit))
		}
		for range count {
			wanted = append(wanted, i)
		}
	}
	return wanted, nil
}

func (s *jsonShape) token(t string) int {
	for i := range s.children {
		if s.children[i].token == t {
			return i
		}
	}
	return -1
}

func (s *jsonShape) tokens() []string {
	ts := make([]string, 0, len(s.children))
	for i := range s.children {
		ts = append(ts, s.children[i].token)
	}
	return ts
}
