import { IsInt, Max, Min } from 'class-validator';

export class Add {
  @IsInt()
  @Min(-1_000)
  @Max(1_000)
  by!: number;
}
