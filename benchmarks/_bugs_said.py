# ruff: noqa: E501
"""What counts as naming a cause: written before any probe had run on the cases, and the same for all of them.

A finding must name the cause: that the loss does not fall never counts. Peers that report symptoms alone are granted those of
`symptom` besides, which ours is not.
"""

import re
from typing import NamedTuple

GRAD_CUT = (r"detach|no_grad|\.item\(\)|\.data\b|numpy|(graph|backprop\w*).{0,40}(cut|broken|lost|interrupt)|cut.{0,30}graph"
            r"|(no|without|never|not|cannot|don't).{0,40}gradients?.{0,40}(reach|flow|arriv|pass|get|through|back)"
            r"|gradients?.{0,40}(no|not|never|cannot|stop|don't|fail).{0,40}(reach|flow|arriv|pass|get|through|back)"
            r"|(get|receive|have|has)s? no grad|gradient is None|differentiab|disconnect|grad_fn|not require grad")
LACKS = r"(\bnot\b|n't|never|none|without|lacks?|miss\w*|left out|only|other|different|copy|another|foreign|\bno\b)"
UNHELD = (rf"optimi[sz]er.{{0,80}}{LACKS}.{{0,60}}(param|weight|layer|model|tensor|head|body)"
          r"|(parameters?|weights?|layers?).{0,80}(\bnot\b|missing|absent|unknown|left out|outside|n't|none|never).{0,60}optimi[sz]er")
NOT_READ = (r"(inputs?|\bx\b|features?|rows?).{0,80}(ignored|not used|unused|no (effect|influence)|never reach|(not|n't) (reach|matter|change)|lost)"
            r"|(ignor\w*|independent of|(not|n't) (depend on|use|see|look at|react to)|regardless of|insensitive to|whatever"
            r"|same.{0,30}(for|whatever)).{0,60}(inputs?|\bx\b|rows?|examples?)|constant output|same output"
            r"|outputs?.{0,60}(same|constant|identical|equal).{0,40}(rows?|examples?|inputs?)")
UNMOVED = r"did not change|no gradients found"


class Said(NamedTuple):
    """The words that name a cause."""

    says: str
    unless: str = r"(?!)"  # words of another cause
    symptom: str = r"(?!)"  # granted to the peers

    def named_by(self, message: str, *, peer: bool = False) -> bool:
        """Whether the message names the cause."""
        found = re.search(self.says, message, FLAGS) and not re.search(self.unless, message, FLAGS)
        return bool(found or (peer and re.search(self.symptom, message, FLAGS)))


FLAGS = re.IGNORECASE | re.DOTALL
LOW = r"(\blow\b|small|tiny|zero|decay|fall|drop|shrink|shrunk|vanish|dies|died|die\b|nothing|higher|larger|raise|bigger|barely|hardly)"
HIGH = r"(\bhigh\b|\blarge\b|\bbig\b|overshoot|diverg|lower|smaller|reduc|decreas|unstable|too (high|large|big)|less)"
RATE = r"(learning.?rate|\blr\b|step size)"
MIXED = (r"batch_first|batch (axis|dimension|dim)\b|(mix|leak|depend|across|influenc|share|blend)\w*.{0,80}"
         r"(rows|examples|samples|batch|each other|another row)|(other|another|neighbour\w*|different) (rows?|examples?|samples?)")
CAUSES = {
    "no zero_grad": Said(r"zero_?grad|grad\w*.{0,60}(zeroed|cleared|reset|accumul|pile|add(ed)? up|sum(med)? up|left over|carried|kept)"
                         r"|accumul\w*.{0,20}grad|(zero|clear|reset)\w*.{0,20}gradients|(stale|old) grad"),
    "gradients cleared before the step": Said(
        r"zero_?grad|(zeroed|cleared|wiped|erased|removed|reset|thrown|lost|discarded).{0,60}(step|backward|grad)"
        r"|grad\w*.{0,60}(zeroed|cleared|wiped|erased|removed|reset|thrown|discarded|zero.{0,40}\bstep\b)"
        r"|\bstep\b.{0,60}(without|no|zero|empty).{0,20}grad", symptom=UNMOVED),
    "step never called": Said(r"(optimi[sz]er\W{0,3}s?.{0,12}step|\bstep\(\)|the step\b|update step).{0,60}(never|not|missing|forgot|skip|n't)"
                              r"|(never|not|no|missing|forgot\w*|without|n't|skip\w*).{0,40}(optimi[sz]er\W{0,3}s?.{0,12}step|\bstep\(\)|the step\b)",
                              symptom=UNMOVED),
    "backward never called": Said(r"backward|backprop\w*|gradients?.{0,30}(never|not|n't).{0,20}comput|no gradients? (is|are|was|were) comput",
                                  symptom=UNMOVED),
    "gradients clipped to nothing": Said(r"clip|grad\w*.{0,60}(capped|\bcut\b|rescal|shr[iu]nk|scaled|truncat)"),
    "sign flipped": Said(r"(flip\w*|wrong|opposite|invert\w*|its|negative|the) sign\b|\bsign\b.{0,30}(flip|wrong|invert|of the)|maximi[sz]|ascen|negated|\bminus\b|uphill|climb|wrong direction|opposite|along the gradient"),
    "parameters not in the optimizer": Said(UNHELD, symptom=UNMOVED),
    "learning rate too high": Said(f"{RATE}.{{0,100}}{HIGH}|{HIGH}.{{0,40}}{RATE}|overshoot", symptom=r"explosion"),
    "learning rate too low": Said(f"{RATE}.{{0,100}}{LOW}|{LOW}.{{0,40}}{RATE}"),
    "schedule kills the learning rate": Said(f"schedul|{RATE}.{{0,100}}{LOW}|{LOW}.{{0,40}}{RATE}"),
    "left in eval mode": Said(r"\beval|train(ing)? mode|model\.train|running (stat|mean|var|average)"),
    "over-regularised": Said(r"weight.?decay|regulari[sz]|dropout|\bL[12]\b|penalt"),
    "rows and labels shuffled apart": Said(r"shuffl|permut|pair|mismatch|misalign|(labels?|targets?).{0,60}(not|n't).{0,30}(belong|match|fit|go with|align)"
                                           r"|(rows?|inputs?).{0,60}(not|n't).{0,30}(belong|match|go with|align)|different order|reorder|random labels"),
    "batch changed in place": Said(r"in.?place|(batch|inputs?|\bx\b).{0,80}(chang|mutat|modif|shrink|shrank|overwrit|alter|rewrit)"),
    "weights set back at every step": Said(r"re.?init|\breset|restor|set back|overwr|undo|undone|start(s|ed)? (again|over)|initiali[sz]ed (again|at|in|every)"
                                           r"|(weights|parameters).{0,80}(jump|outside the optimi|apart from|other than|not by the optimi|replaced)"),
    "activations detached": Said(GRAD_CUT + r"|cached|stale", symptom=UNMOVED),
    "argmax inside the model": Said(GRAD_CUT + r"|argmax|discrete|round|integer|one.?hot", symptom=UNMOVED),
    "softmax twice": Said(r"softmax|probabilit|sum to (1|one)", r"wrong (axis|dim)|batch (axis|dim)|over the (batch|rows)"),
    "softmax over the wrong axis": Said(r"(softmax|normali[sz]|sum to (1|one)|probabilit).{0,100}(\baxis|\bdim|batch|\brows|columns|steps)"
                                        r"|(\baxis|\bdim\b|dimension|batch|\brows|columns).{0,100}(softmax|normali[sz]|sum to (1|one)|probabilit)"),
    "MSE on a class index": Said(r"(mse|squared|regression).{0,120}(class|label|index|indices|integer|categor)|cross.?entropy"
                                 r"|(class|label|index|indices|integer|categor).{0,120}(mse|squared|regression)"),
    "probabilities given to a loss for logits": Said(r"sigmoid|probabilit|squash|between 0 and 1|\[0, ?1\]|twice"),
    "logits given to a loss for probabilities": Said(r"logits|raw (score|output|value)|sigmoid|probabilit|(outside|beyond|not between|not in|below).{0,20}(\[?0|zero)"
                                                     r"|between 0 and 1"),
    "NLL on raw scores": Said(r"log.?softmax|log.?probab|nll.{0,100}(logits|raw|scores|unnormal)|(logits|raw|unnormal\w+|scores).{0,100}(nll|negative log)"),
    "NLL on probabilities": Said(r"\blog\b|log.?softmax|log.?prob|probabilit.{0,80}(nll|negative log)|(nll|negative log).{0,80}probabilit"),
    "ReLU on the logits": Said(r"relu.{0,80}(logit|output|last|final|head|score)|(logit|output|last|final|head|score|prediction)\w*.{0,80}"
                               r"(relu|non.?negative|never negative|negative|clipped|clamped|at zero|below zero)"),
    "output cannot reach the targets": Said(r"tanh|sigmoid|saturat|bounded|squash|(output|prediction)\w*.{0,80}(cannot|never|limited|between|range|confined|outside)"
                                            r"|targets?.{0,60}(outside|beyond|out of).{0,40}(range|reach|output)"),
    "summed, not averaged": Said(r"reduction|\bsum(s|med|ming)?\b|not (averaged|a mean|the mean)|(grows|scales|proportional).{0,60}(batch|rows)"),
    "shapes broadcast": Said(r"broadcast|squeeze|\(n, ?1\)|shapes?.{0,80}(differ|mismatch|match|against|\(|\[)|size.{0,40}(differ|mismatch|match)"),
    "classes and steps mixed by a reshape": Said(r"reshape|\bview\b|transpos|permut|\bax(is|es)\b|dimension|(steps|positions|classes).{0,60}(mix|swap|confus)"),
    "targets are not one-hot per row": Said(r"(targets?|labels?|one.?hot).{0,100}(sum|distribution|order|one.?hot|axis|reshape|transpos|several|more than one|none|no class|all zero)"),
    "all targets are ignored": Said(r"ignor|mask|no (targets?|labels?).{0,40}(left|count|remain)|-100"),
    "NaN from the loss": Said(r"(nan|not a number|finite|\binf\b|infinit\w*).{0,150}(log|sqrt|root|norm\b|divi|zero|grad|backward|loss|output)"
                              r"|(log|sqrt|root|norm\b|divi\w*|zero|gradients?|backward|loss).{0,150}(nan|not a number|finite|\binf\b|infinit)", symptom=r"\bnans?\b|\binfs?\b"),
    "parameters frozen": Said(r"frozen|freez|requires?_grad|(not|un)\s?-?trainable|require no grad", symptom=UNMOVED),
    "parameters not registered": Said(UNHELD + r"|ModuleList|regist|plain list|python list|(created|made|new).{0,40}(in|inside|during|anew|every|each)\b"
                                      r"|not (seen|listed|found|in|among|part of).{0,30}parameters", symptom=UNMOVED),
    "input ignored": Said(NOT_READ),
    "a branch is never used": Said(r"(no|without|none|never|zero|not).{0,40}grad|unused|never used|not used|dead (layer|branch|weight|part)|zombie"
                                   r"|(not|n't) (reach|influence|contribute|affect|change)|no (effect|influence)|disconnect", symptom=UNMOVED),
    "padding mask inverted": Said(r"\bmask|padd|attend|nan.{0,80}(attention|softmax)|" + NOT_READ),
    "token ids lost": Said(r"embed|token|\bind(ex|ices)\b|\.long|\bcast|rows?.{0,60}(identical|same|alike|collaps|apart)|collaps|" + NOT_READ, symptom=UNMOVED),
    "state carried between calls": Said(r"\bstate|hidden|history|previous (batch|call|step|forward)|carr(y|ied|ies)|second time|retain_graph"
                                        r"|same (input|batch|rows).{0,60}(different|differ|other)|determinis|differ.{0,60}(same|equal|call)"),
    "rows of the batch mixed": Said(MIXED),
    "dead ReLU": Said(r"\bdead|relu.{0,80}(zero|never|inactive|silent|fire|off)|(units?|neurons?|activations?).{0,80}(zero|inactive|never|silent|off\b)"),
    "vanishing gradients": Said(r"vanish|gradients?.{0,100}(tiny|shrink|shrunk|too small|fade|die|near(ly)? zero|almost zero|1e-|smaller|times less)|saturat"
                                r"|(weights?|init\w*|start).{0,60}(small|tiny)|signal.{0,40}(fade|die|lost|shrink)", symptom=r"exactly zero"),
    "exploding start": Said(r"explo|gradients?.{0,80}(huge|large|blow|grow)|(init\w*|weights?|start\w*).{0,80}(large|big|huge|wide|scale)|blow"
                            r"|(activations?|logits?|outputs?|scores?|layers?).{0,80}(huge|large|grow|blow|big|wide)|saturat"),
    "all weights start equal": Said(r"(init\w*|weights?|parameters?|layers?).{0,80}(\bzeros?\b|equal|identical|\bsame\b|constant|symmetr)|symmetr"
                                    r"|(units|neurons|columns).{0,60}(same|identical|equal|alike)|zero.{0,20}init"),
    "no non-linearity": Said(r"non.?linear|activation function|no activation|without (an )?activation|\blinear (model|map|network|function|in)\b|only linear|\baffine|is linear"),
    "dropout cannot be switched off": Said(r"dropout|random|stochastic|determinis|noise|noisy|(differ\w*|vari\w*).{0,60}(call|forward|same)"),
    "running statistics never learned": Said(r"momentum|running (stat|mean|var|average)|eval.{0,80}(differ|worse|high|not|gap|than)|batch.?norm"),
    "BatchNorm on one row": Said(r"batch.{0,60}(\bone\b|\b1\b|single|tiny|small)|more than (1|one) |(one|single) (row|example|sample)", r"(one|single|same) class"),
    "input not normalised": Said(r"(inputs?|features?|pixels?|columns?|\bx\b|data).{0,100}(normali[sz]|standardi[sz]|scale|range|large|huge|255|offset|spread|std|far from|centr|center)"
                                 r"|(normali[sz]|standardi[sz]|unscaled|scale|centr|center)\w*.{0,60}(inputs?|features?|pixels?|columns?|\bx\b|data)", symptom=r"explosion"),
    "targets not scaled": Said(r"(targets?|labels?|\by\b).{0,100}(scale|standardi[sz]|normali[sz]|large|huge|range|offset|far from|centr|center|mean of|thousand)"),
    "constant input": Said(r"(inputs?|rows?|features?|batch|\bx\b|columns?).{0,80}(constant|identical|the same|equal|alike|(not|n't) (vary|differ)|(all|only|are|is) zeros?\b|varia|flat)"
                           r"|(constant|identical|equal|flat|blank) (inputs?|rows?|features?|batch|data)", r"outputs?.{0,40}(same|constant|identical)"),
    "labels off by one": Said(r"off.by.one|(labels?|targets?|class\w*|ind(ex|ices)).{0,100}(out of (bounds|range)|begin|starts? (at|with|from)|from 1|from one|1 to|range|-1|\bminus\b|shift"
                              r"|beyond|outside|negative|never occur|missing|unused|no (row|label)|ignored|exceed)|ignore_index"),
    "batch of one class": Said(r"\b(one|single|same) (class|label)|(labels?|targets?|\by\b).{0,60}(all )?(the same|constant|identical|equal)|constant (targets?|labels?)"),
    "NaN in the input": Said(r"(nan|not a number|finite|missing|\binf\b).{0,80}(inputs?|\bx\b|features?|batch|data)"
                             r"|(inputs?|\bx\b|features?|batch|data).{0,80}(nan|not a number|finite|missing|\binf\b)", symptom=r"\bnans?\b"),
}
