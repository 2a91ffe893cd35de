"""The toy language written down a second time, as nested loops over whole phrases.

No nonterminals, no parser: every phrase is a list of (probability, words), made from the
description of the language, so small languages can be listed entirely.  Also: crossing arcs by
their definition, and the LL(1) test of a rule table by FIRST and FOLLOW sets.
"""

import math
from collections import defaultdict
from itertools import product


class Enumeration:
    """All sentences of a small toy language, by ``sentences()``."""

    def __init__(self, sizes, entries):
        self.s = sizes
        self.classes = range(sizes.n_classes)
        self.forms = {}
        self.stems = defaultdict(int)
        for e in entries.values():
            self.forms[e.cell.family, e.rank, e.cell.inflection] = e.form
            self.stems[e.cell.family] = max(self.stems[e.cell.family], e.rank + 1)

    def word(self, name, *inflection):
        return self.forms[(name,), 0, inflection]

    def share(self, favourite, bond, n=None):
        """Of n, by default classes, the favourite gets bond, the others share the rest."""
        n = n or self.s.n_classes
        if n == 1:
            return [1.0]
        return [bond if c == favourite % n else (1 - bond) / (n - 1) for c in range(n)]

    def topic(self, rank):
        """The stems of the core have a topic each, the others one together."""
        return min(rank, self.s.n_core)

    def stem(self, family, topic=None):
        """[(probability, rank)] of a stem that is drawn by this topic."""
        ranks = range(self.stems[family])
        z = []
        for rank in range(1, self.stems[family] + 1):
            steps = [self.s.zipf if k < self.s.n_core else self.s.zipf_tail for k in range(1, rank)]
            z.append(math.prod((k / (k + 1)) ** x for k, x in enumerate(steps, start=1)))
        z = [x / sum(z) for x in z]
        mates = [r for r in ranks if topic is not None and self.topic(r) == topic]
        if not mates:
            return list(zip(z, ranks))
        mass = sum(z[r] for r in mates)
        extra = [z[r] / mass if r in mates else 0.0 for r in ranks]
        return [((1 - self.s.bond) * z[r] + self.s.bond * extra[r], r) for r in ranks]

    def nominal(self, case, p_class, depth, e, topic=None, relative=True):
        """[(p, words, class, number, topic of the noun, bare noun?)] of pronouns, noun phrases.

        topic: of the word that governs them.
        """
        s, found = self.s, []
        for c, n in product(self.classes, (0, 1)):
            p = p_class[c] * (s.p_plural if n else 1 - s.p_plural)
            found.append((p * s.p_pronoun, [self.word("PRON", c, n, case)], c, n, None, False))
            p *= 1 - s.p_pronoun
            heads = [
                (p * (1 - s.p_adjective) * q, [self.forms[("N", c), r, (n,)]], self.topic(r))
                for q, r in self.stem(("N", c), topic)
            ]
            for q, r in self.stem(("A",), topic):
                adjective = self.forms[("A",), r, (c,)]
                for q2, r2 in self.stem(("N", c), self.topic(r)):
                    noun = self.forms[("N", c), r2, (n,)]
                    p_both = p * s.p_adjective * q * q2
                    heads.append((p_both, [adjective, noun], self.topic(r2)))
            p_relative = s.p_relative if relative and depth < s.max_depth else 0.0
            for q, words, own in heads:
                phrase = [self.word("DET", n, case), *words]
                found.append((q * (1 - p_relative), phrase, c, n, own, True))
                if p_relative:
                    for q2, more in self.relative("REL", depth + 1, e, c, n, own):
                        found.append((q * p_relative * q2, phrase + more, c, n, own, False))
        return [x for x in found if x[0] > 0]

    def relative(self, marker, depth, e, c, n, topic):
        s = self.s
        found = [
            ((1 - s.p_gap_object) * p, [self.word(marker, n, 0), *words])
            for p, words in self.verb_phrase(depth, e, c, n, topic)
        ]
        for p, words in self.gapped(depth, e, c):
            found.append((s.p_gap_object * p, [self.word(marker, n, 1), *words]))
        return [x for x in found if x[0] > 0]

    def subjects(self, depth, e):
        weights = [1 / (c + 1) for c in self.classes]
        return self.nominal(0, [w / sum(weights) for w in weights], depth, e)

    def gapped(self, depth, e, c_object):
        """Subject and transitive verb, whose object is known to be of class c_object."""
        found = []
        for p, words, c, n, topic, _ in self.subjects(depth, e):
            liked = self.share(c + 1, self.s.subject_bond)
            joint = [liked[j] * self.share(j, self.s.class_bond)[c_object] for j in self.classes]
            for j in self.classes:
                for q, verb, _ in self.verbs(("VT", j), e, n, topic):
                    found.append((p * joint[j] / sum(joint) * q, words + verb))
        return found

    def verbs(self, family, e, n, topic):
        """[(p, words, topic of the verb)] of verb, adverb, prepositional phrase."""
        s, found = self.s, []
        for tense, (q, r) in product((0, 1), self.stem(family, topic)):
            p = q * (s.p_past[e] if tense else 1 - s.p_past[e])
            verb = self.forms[family, r, (tense, n)]
            adverbs = [(1 - s.p_adverb, [])]
            for q2, r2 in self.stem(("TIME", tense)):
                adverb = self.forms[("TIME", tense), r2, ()]
                adverbs.append((s.p_adverb * s.p_time * q2, [adverb]))
            for q2, r2 in self.stem(("MANNER",), self.topic(r)):
                adverb = self.forms[("MANNER",), r2, ()]
                adverbs.append((s.p_adverb * (1 - s.p_time) * q2, [adverb]))
            adjuncts = self.adjuncts(e, family[1], self.topic(r))
            for (q2, adverb), (q3, adjunct) in product(adverbs, adjuncts):
                found.append((p * q2 * q3, [verb, *adverb, *adjunct], self.topic(r)))
        return [x for x in found if x[0] > 0]

    def adjuncts(self, e, j, topic):
        """[(p, words)] of the prepositional phrases of verbs of class j."""
        s, found = self.s, [(1 - self.s.p_adjunct, [])]
        if s.p_adjunct:
            for i, liked in enumerate(self.share(j, s.class_bond, s.n_prepositions)):
                p_class = self.share(i, s.class_bond)
                for p, words, *_ in self.nominal(2, p_class, 0, e, topic, relative=False):
                    found.append((s.p_adjunct * liked * p, [self.word("ADP", i), *words]))
        return found

    def verb_phrase(self, depth, e, c, n, topic):
        s, found = self.s, []
        saying = s.p_saying if c < 2 and depth < s.max_depth else 0.0
        p_vi = (1 - saying) * (1 - s.p_transitive)
        found += [(p_vi * p, words) for p, words, _ in self.verbs(("VI", 0), e, n, topic)]
        for j in self.classes:
            p_vt = (1 - saying) * s.p_transitive * self.share(c + 1, s.subject_bond)[j]
            if p_vt:
                objects = {}
                for p, words, own in self.verbs(("VT", j), e, n, topic):
                    if own not in objects:
                        p_class = self.share(j, s.class_bond)
                        objects[own] = self.nominal(1, p_class, depth, e, own)
                    for q, thing, *_ in objects[own]:
                        found.append((p_vt * p * q, words + thing))
        if saying:
            content = self.clauses(depth + 1, e)
            for (p, words, _), (q, more) in product(self.verbs(("VS", 0), e, n, topic), content):
                found.append((saying * p * q, [*words, self.word("THAT"), *more]))
        return [x for x in found if x[0] > 0]

    def clauses(self, depth, e, main=False):
        found = []
        phrases = {}
        for p, words, c, n, topic, bare in self.subjects(depth, e):
            if (c, n, topic) not in phrases:
                phrases[c, n, topic] = self.verb_phrase(depth, e, c, n, topic)
            late = [(1.0, [])]
            if main and bare and depth < self.s.max_depth:
                late = [(1 - self.s.p_late, [])]
                for q, more in self.relative("LATE", depth + 1, e, c, n, topic):
                    late.append((self.s.p_late * q, more))
            for (q, verbs), (q2, more) in product(phrases[c, n, topic], late):
                found.append((p * q * q2, words + verbs + more))
        return [x for x in found if x[0] > 0]

    def sentences(self):
        """[(probability, words)]"""
        n = self.s.n_evidentials
        return [
            (p / n, (self.word("OPEN", e), *words, self.word("CLOSE", e)))
            for e in range(n)
            for p, words in self.clauses(0, e, main=True)
        ]


def ancestors(heads, d):
    """Heads of word d, of its head, ... up to the root 0; None if they run in a circle."""
    found = []
    while d != 0:
        d = heads[d - 1]
        if d in found:
            return None
        found.append(d)
    return found


def crossing(heads):
    """Some arc h -> d spans a word that does not descend from h."""
    for d, h in enumerate(heads, start=1):
        for between in range(min(d, h) + 1, max(d, h)):
            if h not in ancestors(heads, between):
                return True
    return False


def ll1_conflicts(rules, start, is_word, terminal, child):
    """Nonterminals of an acyclic grammar for which two rules can begin with the same terminal.

    Args:
        rules: nonterminal -> list of right sides (tuples of symbols).
        start: the start symbol.
        is_word, terminal, child: symbol -> is it a word?, its terminal, its nonterminal.

    Returns:
        (number of nonterminals, list of those with a conflict); FIRST sets are bit masks, bit 0
        is the empty word, and a rule that can be empty is predicted by FOLLOW.
    """
    bits = {}
    order, seen, first = [], set(), {}

    def bit(t):
        return 1 << bits.setdefault(t, len(bits) + 1)

    def first_of(symbols):
        mask = 1
        for x in symbols:
            if not mask & 1:
                break
            mask = (mask & ~1) | (bit(terminal(x)) if is_word(x) else first[child(x)])
        return mask

    def visit(a):
        seen.add(a)
        for right in rules(a):
            for x in right:
                if not is_word(x) and child(x) not in seen:
                    visit(child(x))
        first[a] = 0
        for right in rules(a):
            first[a] |= first_of(right)
        order.append(a)

    visit(start)
    follow = defaultdict(int, {start: bit("end of text")})
    conflicts = []
    for a in reversed(order):  # parents before children
        taken = 0
        for right in rules(a):
            for i, x in enumerate(right):
                if not is_word(x):
                    rest = first_of(right[i + 1 :])
                    follow[child(x)] |= (rest & ~1) | (follow[a] if rest & 1 else 0)
            mask = first_of(right)
            predicted = (mask & ~1) | (follow[a] if mask & 1 else 0)
            if taken & predicted:
                conflicts.append(a)
            taken |= predicted
    return len(order), conflicts
