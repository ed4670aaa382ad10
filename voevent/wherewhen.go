package voevent

import "tocsin/voevent/xmltree"

// WhereWhen returns the part. The form of the first drafts, with RA, Dec and Time directly in it, is read into Observation.
func (e *Event) WhereWhen() *WhereWhen {
	e.whereWhenOnce.Do(func() {
		n := e.part("WhereWhen")
		w := &WhereWhen{Node: n, ID: e.attr(n, "id")}
		w.Observatory.Node, w.Observation.Node = xmltree.None, xmltree.None
		e.each(n, func(c xmltree.Node, local string) {
			switch local {
			case "ObsDataLocation":
				e.readObsDataLocation(w, c)
			case "Description":
				w.Descriptions = append(w.Descriptions, e.doc.Value(c))
			case "Reference":
				w.References = append(w.References, e.reference(c))
			}
		})
		if w.Observation.Node == xmltree.None && n != xmltree.None {
			e.readDraft(w, n)
		}
		e.whereWhen = w
	})
	return e.whereWhen
}

func (e *Event) readObsDataLocation(w *WhereWhen, n xmltree.Node) {
	e.each(n, func(c xmltree.Node, local string) {
		switch local {
		case "ObservatoryLocation":
			if w.Observatory.Node == xmltree.None {
				w.Observatory = e.readLocation(c)
			}
		case "ObservationLocation":
			if w.Observation.Node == xmltree.None {
				w.Observation = e.readLocation(c)
			}
		}
	})
}

func (e *Event) readLocation(n xmltree.Node) Location {
	l := Location{Node: n, ID: e.attr(n, "id")}
	if l.ID == "" {
		l.ID = e.attr(n, "ID") // as STC writes it
	}
	e.each(n, func(c xmltree.Node, local string) {
		switch local {
		case "AstroCoordSystem":
			if setFirst(&l.CoordSystem, e.attr(c, "id")); l.CoordSystem == "" {
				l.CoordSystem = e.attr(c, "ID")
			}
			setFirst(&l.TimeScale, e.value(e.doc.Child(c, "TimeFrame"), "TimeScale"))
			setFirst(&l.SpaceRefFrame, e.value(e.doc.Child(c, "SpaceFrame"), "SpaceRefFrame"))
		case "AstroCoords":
			setFirst(&l.CoordSystemID, e.attr(c, "coord_system_id"))
			e.readCoords(&l, c)
		}
	})
	return l
}

func (e *Event) readCoords(l *Location, n xmltree.Node) {
	e.each(n, func(c xmltree.Node, local string) {
		switch {
		case local == "Time" && l.Time == nil:
			l.Time = e.readTime(c)
		case local == "Position2D" && l.Position2D == nil:
			l.Position2D = e.readPosition2D(c)
		case local == "Position3D" && l.Position3D == nil:
			v := e.doc.Child(c, "Value3")
			l.Position3D = &Position3D{
				Node: c, Unit: e.attr(c, "unit"),
				Name1: e.value(c, "Name1"), Name2: e.value(c, "Name2"), Name3: e.value(c, "Name3"),
				C1: e.value(v, "C1"), C2: e.value(v, "C2"), C3: e.value(v, "C3"),
			}
		}
	})
}

func (e *Event) readTime(n xmltree.Node) *Time {
	instant, interval := e.doc.Child(n, "TimeInstant"), e.doc.Child(n, "TimeInterval")
	return &Time{
		Node: n, Unit: e.attr(n, "unit"), Error: e.value(n, "Error"),
		ISO: e.value(instant, "ISOTime"), Offset: e.value(instant, "TimeOffset"), Scale: e.value(instant, "TimeScale"),
		Start: e.value(interval, "ISOTimeStart"), Stop: e.value(interval, "ISOTimeStop"),
	}
}

func (e *Event) readPosition2D(n xmltree.Node) *Position2D {
	v, radius, err2 := e.doc.Child(n, "Value2"), e.doc.Child(n, "Error2Radius"), e.doc.Child(n, "Error2")
	c1, c2 := e.doc.Child(v, "C1"), e.doc.Child(v, "C2")
	return &Position2D{
		Node: n, Unit: e.attr(n, "unit"), PositionName: e.value(n, "PositionName"),
		Name1: e.value(n, "Name1"), Name2: e.value(n, "Name2"),
		C1: trim(e.doc.Value(c1)), C2: trim(e.doc.Value(c2)),
		C1Unit: e.attr(c1, "pos_unit"), C2Unit: e.attr(c2, "pos_unit"),
		ErrorRadius: trim(e.doc.Value(radius)), ErrorRadiusUnit: e.attr(radius, "pos_unit"),
		Error2C1: e.value(err2, "C1"), Error2C2: e.value(err2, "C2"),
	}
}

// readDraft reads the form that VOEvent had before it took up STC, which HTN and eSTAR kept: RA and Dec, each with the number
// as text or in Coord, an Error with attributes value and units, an Equinox, and a Time with a Value or a TimeInstant.
func (e *Event) readDraft(w *WhereWhen, n xmltree.Node) {
	ra, dec := e.doc.Child(n, "RA"), e.doc.Child(n, "Dec")
	when := e.doc.Child(n, "Time")
	instant := e.doc.Child(n, "TimeInstant")
	if when == xmltree.None {
		when = instant
	}
	if ra == xmltree.None && dec == xmltree.None && when == xmltree.None {
		return
	}
	l := Location{Node: n}
	if when != xmltree.None {
		t := e.readTime(when)
		setFirst(&t.ISO, e.value(when, "Value"))
		setFirst(&t.ISO, e.value(when, "ISOTime"))
		l.Time = t
	}
	if ra != xmltree.None && dec != xmltree.None {
		l.SpaceRefFrame = draftFrame(e.draftText(n, "Equinox"))
		number := func(n xmltree.Node) string {
			if c := e.doc.Child(n, "Coord"); c != xmltree.None {
				n = c
			}
			return trim(e.doc.Value(n))
		}
		radius := e.doc.Child(ra, "Error")
		l.Position2D = &Position2D{
			Node: ra, Name1: "RA", Name2: "Dec", C1: number(ra), C2: number(dec),
			C1Unit: e.attr(ra, "units"), C2Unit: e.attr(dec, "units"),
			ErrorRadius: e.attr(radius, "value"), ErrorRadiusUnit: e.attr(radius, "units"),
		}
	}
	w.Observation = l
}

// draftText returns the attribute value of a child, or else its text.
func (e *Event) draftText(n xmltree.Node, local string) string {
	c := e.doc.Child(n, local)
	if v, ok := e.doc.Attr(c, "value"); ok {
		return trim(v)
	}
	return trim(e.doc.Value(c))
}

func draftFrame(equinox string) string {
	switch equinox {
	case "", "2000", "2000.0", "J2000", "J2000.0":
		return "FK5"
	}
	return "equinox " + equinox
}
