"""A recurrent encoder-decoder with attention, as a transformers model.

The encoder reads the source in both directions (GRU or LSTM), or by convolutions; the decoder
writes the target one token at a time and looks at the encoder's states before each. Which state
asks depends on the score, as in the papers:

- additive (Bahdanau et al. 2014): the previous decoder state s_{t-1} asks, and what it finds goes
  into the recurrence that makes s_t;
- dot, general, scaled dot (Luong et al. 2015): the current state s_t asks, what it finds is joined
  to it, h̃_t = tanh(W [c_t; s_t]), and h̃_t goes into the next step ("input feeding").

`register` makes AutoConfig and AutoModelForSeq2SeqLM know the model; `attnviz.load` calls it.
"""

from attnviz.mechanisms.recurrent.configuration import RecurrentConfig
from attnviz.mechanisms.recurrent.modeling import RecurrentForConditionalGeneration
from attnviz.mechanisms.recurrent.register import register

__all__ = ["RecurrentConfig", "RecurrentForConditionalGeneration", "register"]
