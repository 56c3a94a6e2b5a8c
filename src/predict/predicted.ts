/** A labelled image and what a model makes of it: a probability per class of the model. */
export type Predicted = { file: string; label: string; probabilities: Float32Array };
